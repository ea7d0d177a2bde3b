/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "lib/decimal.h"
#include "lib/json_escape.h"
#include "lib/json_names.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "lib/utf8.h"

/* Objects up to this size are checked name by name; nearly all are. */
enum { SMALL_OBJECT = 16 };

static const size_t MAX_TEXT = (size_t)INT32_MAX; /* offsets are uint32_t */

/* A container that is open: its members so far. */
struct frame {
	uint32_t node;
	uint32_t count;
	/* One bit per name seen: a clear bit proves a name new. */
	uint64_t names;
};

/*
 * Functions that read take where to begin and return where they ended, or NULL
 * after json_fail().
 */
struct json_reader {
	const char *text, *end;
	struct json_node *nodes;
	size_t n, cap;
	/* Unescaped strings; as large as the text, so it never moves. */
	char *strings;
	size_t strings_len, strings_cap;
	struct json_names names;
	const char *fault;
	const char *fault_at;
	struct frame *top; /* == stack: no container is open */
	struct frame stack[JSON_MAX_DEPTH + 1];
};

struct json_reader *
json_reader_new(void)
{
	struct json_reader *r = mem_calloc(1, sizeof(*r));

	json_names_init(&r->names);
	return r;
}

void
json_reader_free(struct json_reader *r)
{
	if (!r)
		return;
	free(r->nodes);
	free(r->strings);
	json_names_release(&r->names);
	free(r);
}

static const char *
json_fail(struct json_reader *r, const char *at, const char *fault)
{
	r->fault = fault;
	r->fault_at = at;
	return NULL;
}

static inline struct json_node *
json_add(struct json_reader *r, enum json_type type, const char *at)
{
	struct json_node *node;

	MEM_GROW(r->nodes, r->n, r->cap);
	node = &r->nodes[r->n++];
	node->type = (uint8_t)type;
	node->has_nul = false;
	node->skip = (uint32_t)r->n;
	node->at = (uint32_t)(at - r->text);
	return node;
}

static inline bool
json_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *
json_space(const struct json_reader *r, const char *p)
{
	while (p < r->end && json_is_space(*p))
		p++;
	return p;
}

/* ---- Strings ----------------------------------------------------------- */

/* High bits set where a byte is a control, a quote, a backslash or >= 0x80. */
static inline uint64_t
json_special(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t quote = w ^ ones * '"';
	uint64_t escape = w ^ ones * '\\';

	/*
	 * Subtracting borrows from the next byte only below a byte that is
	 * itself special, so the lowest bit set is always right.
	 */
	return ((w - ones * 0x20) | (quote - ones) | (escape - ones) | w) &
	       ones * 0x80;
}

/* Over plain ASCII, to the first special byte or the end. */
static inline const char *
json_plain(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t w;

		memcpy(&w, p, sizeof(w));
		w = json_special(w);
		if (w) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			return p + __builtin_ctzll(w) / 8;
#else
			break;
#endif
		}
		p += 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && *p != '"' &&
	       *p != '\\' && (unsigned char)*p < 0x80)
		p++;
	return p;
}

/* To the quote or backslash that ends a run of characters. */
static inline const char *
json_run(struct json_reader *r, const char *p)
{
	const char *end = r->end;

	for (;;) {
		p = json_plain(p, end);
		if (p == end)
			return json_fail(r, p, "unterminated string");
		if (*p == '"' || *p == '\\')
			return p;
		if ((unsigned char)*p < 0x20)
			return json_fail(r, p, "control byte in a string");
		/* Text that is not ASCII seldom returns to it soon. */
		do {
			size_t n = utf8_char(p, (size_t)(end - p));

			if (n == 0)
				return json_fail(r, p, "invalid UTF-8");
			p += n;
		} while (p < end && (unsigned char)*p >= 0x80);
	}
}

/*
 * The string from p, whose first escape is at q. What is written is never
 * longer than what was read, so all strings of a text fit in its length.
 */
static __attribute__((noinline)) const char *
json_unescape(struct json_reader *r, const char *p, const char *q,
	      struct json_node *node)
{
	size_t need = (size_t)(r->end - r->text);
	char *start, *out;
	const char *fault;

	if (r->strings_cap < need) {
		/* Only ever for the first: need does not change. */
		free(r->strings);
		r->strings = mem_alloc(need);
		r->strings_cap = need;
	}
	start = out = r->strings + r->strings_len;
	for (;;) {
		memcpy(out, p, (size_t)(q - p));
		out += q - p;
		if (*q == '"')
			break;
		p = json_escape(q, r->end, &out, &node->has_nul, &fault);
		if (!p)
			return json_fail(r, q, fault);
		q = json_run(r, p);
		if (!q)
			return NULL;
	}
	node->str.ptr = start;
	node->str.len = (size_t)(out - start);
	r->strings_len += node->str.len;
	return q;
}

/* p is at the opening quote. */
static inline const char *
json_string(struct json_reader *r, const char *p)
{
	struct json_node *node = json_add(r, JSON_STRING, p);
	const char *q = json_run(r, ++p);

	if (!q)
		return NULL;
	if (*q == '"') {
		node->str.ptr = p;
		node->str.len = (size_t)(q - p);
	} else {
		q = json_unescape(r, p, q, node);
		if (!q)
			return NULL;
	}
	node->end = (uint32_t)(q + 1 - r->text);
	return q + 1;
}

/* ---- Numbers ----------------------------------------------------------- */

static inline bool
json_is_digit(const struct json_reader *r, const char *p)
{
	return p < r->end && *p >= '0' && *p <= '9';
}

static inline const char *
json_digits(const struct json_reader *r, const char *p)
{
	while (json_is_digit(r, p))
		p++;
	return p;
}

/* whole is at the first digit, p behind the last digit of the integer. */
static __attribute__((noinline)) const char *
json_real(struct json_reader *r, const char *whole, const char *p,
	  struct json_node *node)
{
	struct decimal dec;
	const char *from;
	int64_t exp = 0;
	bool minus = false;
	double value;

	decimal_init(&dec);
	decimal_add(&dec, whole, p, true);
	if (*p == '.') {
		from = ++p;
		p = json_digits(r, p);
		if (p == from)
			return json_fail(r, p, "digit expected");
		decimal_add(&dec, from, p, false);
	}
	if (p < r->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < r->end && (*p == '+' || *p == '-'))
			minus = *p++ == '-';
		if (!json_is_digit(r, p))
			return json_fail(r, p, "digit expected");
		/* A text has under 2^31 digits: more than this is all one. */
		for (; json_is_digit(r, p); p++)
			exp = exp > INT64_C(1) << 40 ? exp
						     : exp * 10 + (*p - '0');
	}
	dec.point += minus ? -exp : exp;
	value = decimal_value(&dec);
	if (value > DBL_MAX)
		return json_fail(r, r->text + node->at, "number out of range");
	node->type = JSON_REAL;
	node->d = r->text[node->at] == '-' ? -value : value;
	return p;
}

static inline const char *
json_number(struct json_reader *r, const char *p)
{
	struct json_node *node = json_add(r, JSON_INT, p);
	bool minus = *p == '-';
	uint64_t value = 0;
	const char *whole;

	p += minus;
	whole = p;
	if (!json_is_digit(r, p))
		return json_fail(r, p, "digit expected");
	for (; json_is_digit(r, p); p++)
		value = value * 10 + (uint64_t)(*p - '0');
	if (*whole == '0' && p - whole > 1)
		return json_fail(r, whole, "leading zero");
	if (p < r->end && (*p == '.' || *p == 'e' || *p == 'E')) {
		p = json_real(r, whole, p, node);
		if (!p)
			return NULL;
	} else {
		/* 19 digits fit in uint64_t, so value is exact up to there. */
		if (p - whole > 19 || value > (uint64_t)INT64_MAX + minus)
			return json_fail(r, r->text + node->at,
					 "integer out of range");
		node->i = minus ? (int64_t)(0 - value) : (int64_t)value;
	}
	node->end = (uint32_t)(p - r->text);
	return p;
}

/* ---- Names: each once per object --------------------------------------- */

/* A bit that spreads the names of real objects; any choice is correct. */
static inline uint64_t
json_name_bit(struct pj_str name)
{
	uint64_t head = 0, tail = 0;

	if (name.len >= 8) {
		memcpy(&head, name.ptr, 8);
		memcpy(&tail, name.ptr + name.len - 8, 8);
	} else if (name.len >= 4) {
		memcpy(&head, name.ptr, 4);
		memcpy(&tail, name.ptr + name.len - 4, 4);
	} else if (name.len > 0) {
		head = (unsigned char)name.ptr[0];
		tail = (unsigned char)name.ptr[name.len - 1];
	}
	head = (head + name.len) * UINT64_C(0x9e3779b97f4a7c15) + tail;
	head *= UINT64_C(0xd6e8feb86659fd93);
	return UINT64_C(1) << (head >> 58);
}

/* Is the newest node a name that the small object has already? */
static bool
json_is_repeated(const struct json_reader *r, const struct frame *top)
{
	struct pj_str name = r->nodes[r->n - 1].str;
	uint32_t at = top->node + 1;

	for (uint32_t i = 0; i < top->count; i++) {
		if (str_equal(r->nodes[at].str, name))
			return true;
		at = r->nodes[at + 1].skip;
	}
	return false;
}

/* ---- Containers -------------------------------------------------------- */

/* A name and its colon; returns where the value is due. */
static inline const char *
json_name(struct json_reader *r, const char *p)
{
	struct frame *top = r->top;
	const char *at;
	uint64_t bit;

	at = json_space(r, p);
	if (at == r->end || *at != '"')
		return json_fail(r, at, "name expected");
	p = json_string(r, at);
	if (!p)
		return NULL;
	if (top->count < SMALL_OBJECT) {
		bit = json_name_bit(r->nodes[r->n - 1].str);
		if (top->names & bit && json_is_repeated(r, top))
			return json_fail(r, at, "duplicate name");
		top->names |= bit;
	}
	p = json_space(r, p);
	if (p == r->end || *p != ':')
		return json_fail(r, p, "':' expected");
	return p + 1;
}

/* p is behind the last member. */
static inline const char *
json_close(struct json_reader *r, const char *p)
{
	struct frame *top = r->top--;
	struct json_node *node = &r->nodes[top->node];
	uint32_t again;

	p++;
	node->skip = (uint32_t)r->n;
	node->end = (uint32_t)(p - r->text);
	node->count = top->count;
	if (node->type == JSON_ARRAY || top->count <= SMALL_OBJECT)
		return p;
	again = json_names_repeated(&r->names, r->nodes, top->node);
	if (again)
		return json_fail(r, r->text + r->nodes[again].at,
				 "duplicate name");
	return p;
}

/* p is at the bracket; *ret_due: a first member's value has to follow. */
static inline const char *
json_open(struct json_reader *r, const char *p, bool *ret_due)
{
	bool object = *p == '{';
	struct frame *top;

	if (r->top == r->stack + JSON_MAX_DEPTH)
		return json_fail(r, p, "nested too deep");
	top = ++r->top;
	top->node = (uint32_t)r->n;
	top->count = 0;
	top->names = 0;
	(void)json_add(r, object ? JSON_OBJECT : JSON_ARRAY, p);
	p = json_space(r, p + 1);
	if (p < r->end && *p == (object ? '}' : ']'))
		return json_close(r, p);
	*ret_due = true;
	return object ? json_name(r, p) : p;
}

static inline const char *
json_literal(struct json_reader *r, const char *p, enum json_type type,
	     const char *word, size_t len)
{
	if ((size_t)(r->end - p) < len || memcmp(p, word, len) != 0)
		return json_fail(r, p, "value expected");
	json_add(r, type, p)->end = (uint32_t)(p + len - r->text);
	return p + len;
}

static inline const char *
json_value(struct json_reader *r, const char *p, bool *ret_due)
{
	p = json_space(r, p);
	if (p == r->end)
		return json_fail(r, p, "value expected");
	switch (*p) {
	case '"':
		return json_string(r, p);
	case '{':
	case '[':
		return json_open(r, p, ret_due);
	case 't':
		return json_literal(r, p, JSON_TRUE, "true", 4);
	case 'f':
		return json_literal(r, p, JSON_FALSE, "false", 5);
	case 'n':
		return json_literal(r, p, JSON_NULL, "null", 4);
	default:
		if (*p == '-' || (*p >= '0' && *p <= '9'))
			return json_number(r, p);
		return json_fail(r, p, "value expected");
	}
}

/* Behind a value: closes what ends here; *ret_due: another has to follow. */
static inline const char *
json_after(struct json_reader *r, const char *p, bool *ret_due)
{
	while (r->top != r->stack) {
		bool object = r->nodes[r->top->node].type == JSON_OBJECT;

		r->top->count++;
		p = json_space(r, p);
		if (p < r->end && *p == ',') {
			*ret_due = true;
			return object ? json_name(r, p + 1) : p + 1;
		}
		if (p == r->end || *p != (object ? '}' : ']'))
			return json_fail(r, p,
					 object ? "',' or '}' expected"
						: "',' or ']' expected");
		p = json_close(r, p);
		if (!p)
			return NULL;
	}
	return p;
}

int
json_read(struct json_reader *r, const char *text, size_t len,
	  const struct json_node **ret_nodes, uint32_t *ret_n,
	  struct pj_error *err)
{
	const char *p = len ? text : "";
	bool due;

	if (len > MAX_TEXT)
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "JSON: text too long at byte %zu",
				    MAX_TEXT);
	r->text = p;
	r->end = p + len;
	r->n = 0;
	r->strings_len = 0;
	r->top = r->stack;
	do {
		due = false;
		p = json_value(r, p, &due);
		if (p && !due)
			p = json_after(r, p, &due);
	} while (p && due);
	if (p) {
		p = json_space(r, p);
		if (p != r->end)
			p = json_fail(r, p, "trailing bytes");
	}
	if (!p)
		return pj_error_set(err, PJ_ERROR_INPUT, "JSON: %s at byte %zu",
				    r->fault, (size_t)(r->fault_at - r->text));
	*ret_nodes = r->nodes;
	*ret_n = (uint32_t)r->n;
	return 0;
}

uint32_t
json_member(const struct json_node *nodes, uint32_t object, const char *name,
	    size_t name_len)
{
	uint32_t at = object + 1;

	if (nodes[object].type != JSON_OBJECT)
		return 0;
	for (uint32_t i = 0; i < nodes[object].count; i++) {
		if (str_equal(nodes[at].str, (struct pj_str){name, name_len}))
			return at + 1;
		at = nodes[at + 1].skip;
	}
	return 0;
}
