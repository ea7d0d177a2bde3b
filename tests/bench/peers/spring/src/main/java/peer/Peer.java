// SPDX-License-Identifier: Apache-2.0
package peer;

import static org.springframework.web.reactive.function.server.RequestPredicates.GET;
import static org.springframework.web.reactive.function.server.RouterFunctions.route;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Projections;
import com.mongodb.reactivestreams.client.MongoClients;
import com.mongodb.reactivestreams.client.MongoCollection;
import java.time.Instant;
import java.util.List;
import org.bson.codecs.pojo.annotations.BsonId;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.autoconfigure.mongo.MongoReactiveAutoConfiguration;
import org.springframework.boot.web.reactive.context.ReactiveWebServerInitializedEvent;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Mono;

/** The service a team would write with WebFlux and the reactive driver. */
@SpringBootApplication(exclude = MongoReactiveAutoConfiguration.class)
public class Peer {
	public record Location(double lat, double lng) {}

	public record Opening(String days, String open, String close, String lastOrder) {}

	public record Shop(@BsonId String id, String shopId, String name,
			String category, String address, String areaId, Location location,
			long minOrderAmount, long deliveryTip, List<Opening> hours,
			String imageUrl, String status, boolean complete,
			@JsonFormat(shape = JsonFormat.Shape.STRING,
					pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSX", timezone = "UTC")
			Instant updatedAt) {}

	@Bean
	RouterFunction<ServerResponse> routes(@Value("${uri}") String uri,
			@Value("${database}") String database,
			@Value("${collection}") String collection) {
		MongoCollection<Shop> shops = MongoClients.create(uri)
				.getDatabase(database).getCollection(collection, Shop.class);
		return route(GET("/v1/shop/{key}"), request -> Mono
				.from(shops.find(Filters.eq("_id", request.pathVariable("key")))
						.projection(Projections.exclude("_m")).first())
				.flatMap(shop -> ServerResponse.ok()
						.header("Cache-Control", "public, max-age=5")
						.contentType(MediaType.APPLICATION_JSON)
						.bodyValue(shop))
				.switchIfEmpty(ServerResponse.notFound().build()));
	}

	@EventListener
	void listening(ReactiveWebServerInitializedEvent event) {
		System.out.println("peer listens on 127.0.0.1:" + event.getWebServer().getPort());
	}

	public static void main(String[] args) {
		SpringApplication.run(Peer.class, args);
	}
}
