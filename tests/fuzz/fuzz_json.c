/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes lib/json: reads any bytes, touches every byte that is handed out, and
 * wants jansson to agree (tests/fuzz/json_oracle.h).
 */
#include <stdint.h>
#include <stdlib.h>

#include "tests/fuzz/json_oracle.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sum over all that can be read, so that nothing is optimised away. */
static volatile uint64_t touched;

static void
touch(const struct oracle_doc *doc)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < doc->n; i++) {
		const struct json_node *node = &doc->nodes[i];

		if (node->skip <= i || node->skip > doc->n ||
		    node->at >= node->end || node->end > doc->len)
			abort();
		for (uint32_t at = node->at; at < node->end; at++)
			sum += (unsigned char)doc->text[at];
		if (node->type != JSON_STRING)
			continue;
		for (size_t k = 0; k < node->str.len; k++)
			sum += (unsigned char)node->str.ptr[k];
	}
	touched = sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_reader *reused;
	struct json_reader *fresh = json_reader_new();
	const char *text = (const char *)data;
	struct oracle_doc doc;
	struct pj_error err;
	enum oracle_verdict verdict;
	uint32_t n = 0;

	if (!reused)
		reused = json_reader_new();
	verdict = oracle_compare(fresh, text, size, &doc);
	if (verdict == ORACLE_DIFFER)
		abort();
	if (verdict == ORACLE_BOTH_ACCEPT)
		touch(&doc);
	/* What a reader read before makes no difference. */
	if (json_read(reused, text, size, &doc.nodes, &n, &err) == 0) {
		doc.text = text;
		doc.len = size;
		doc.n = n;
		touch(&doc);
	} else if (verdict == ORACLE_BOTH_ACCEPT) {
		abort();
	}
	json_reader_free(fresh);
	return 0;
}
