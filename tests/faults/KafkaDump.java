/* SPDX-License-Identifier: Apache-2.0 */
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Writes out topics as Kafka's own client reads them, so that what the projector
 * read has a witness that shares no code with it.
 *
 * <p>KafkaDump BROKERS; then on standard input, line by line, {@code PREFIX
 * FILE}: every topic that begins with PREFIX, read_committed, from the first
 * record to the end there is now, goes to FILE, one JSON object per record and
 * one {@code {"topic","partition","begin","end"}} per partition. Each answers
 * {@code done N} or {@code failed WHY} on standard output.
 */
public final class KafkaDump {
    private static final Base64.Encoder BASE64 = Base64.getEncoder();

    private KafkaDump() {
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(
            new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String line;

        while ((line = in.readLine()) != null) {
            String[] words = line.split(" ", 2);
            try (KafkaConsumer<byte[], byte[]> consumer =
                     new KafkaConsumer<>(properties(args[0]))) {
                System.out.println("done "
                    + dump(consumer, words[0], Path.of(words[1])));
            } catch (Exception fault) {
                System.out.println("failed " + fault);
            }
            System.out.flush();
        }
    }

    private static Properties properties(String brokers) {
        Properties props = new Properties();

        props.put("bootstrap.servers", brokers);
        props.put("key.deserializer", ByteArrayDeserializer.class.getName());
        props.put("value.deserializer", ByteArrayDeserializer.class.getName());
        props.put("isolation.level", "read_committed");
        props.put("enable.auto.commit", "false");
        props.put("auto.offset.reset", "none");
        props.put("check.crcs", "true");
        return props;
    }

    private static long dump(KafkaConsumer<byte[], byte[]> consumer,
                             String prefix, Path file) throws Exception {
        List<TopicPartition> parts = new ArrayList<>();
        long n = 0;

        consumer.listTopics().forEach((topic, infos) -> {
            if (topic.startsWith(prefix)) {
                infos.forEach(info -> parts.add(
                    new TopicPartition(topic, info.partition())));
            }
        });
        Map<TopicPartition, Long> begin = consumer.beginningOffsets(parts);
        Map<TopicPartition, Long> end = consumer.endOffsets(parts);

        consumer.assign(parts);
        begin.forEach(consumer::seek);
        try (BufferedWriter out = Files.newBufferedWriter(file)) {
            while (!reached(consumer, end)) {
                for (ConsumerRecord<byte[], byte[]> rec
                         : consumer.poll(Duration.ofMillis(200))) {
                    if (rec.offset() >= end.get(new TopicPartition(
                            rec.topic(), rec.partition()))) {
                        continue;
                    }
                    out.write(json(rec, prefix.length()));
                    n++;
                }
            }
            for (TopicPartition tp : parts) {
                out.write(String.format(
                    "{\"topic\":\"%s\",\"partition\":%d,\"begin\":%d,"
                    + "\"end\":%d}%n",
                    tp.topic().substring(prefix.length()), tp.partition(),
                    begin.get(tp), end.get(tp)));
            }
        }
        return n;
    }

    private static boolean reached(KafkaConsumer<byte[], byte[]> consumer,
                                   Map<TopicPartition, Long> end) {
        for (Map.Entry<TopicPartition, Long> at : end.entrySet()) {
            if (consumer.position(at.getKey()) < at.getValue()) {
                return false;
            }
        }
        return true;
    }

    private static String json(ConsumerRecord<byte[], byte[]> rec, int cut) {
        StringBuilder out = new StringBuilder();
        String comma = "";

        out.append("{\"topic\":\"").append(rec.topic().substring(cut))
            .append("\",\"partition\":").append(rec.partition())
            .append(",\"offset\":").append(rec.offset())
            .append(",\"timestamp\":").append(rec.timestamp())
            .append(",\"key\":").append(base64(rec.key()))
            .append(",\"value\":").append(base64(rec.value()))
            .append(",\"headers\":[");
        for (Header header : rec.headers()) {
            out.append(comma).append('[')
                .append(base64(header.key().getBytes(StandardCharsets.UTF_8)))
                .append(',').append(base64(header.value())).append(']');
            comma = ",";
        }
        return out.append("]}\n").toString();
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? "null"
                             : '"' + BASE64.encodeToString(bytes) + '"';
    }
}
