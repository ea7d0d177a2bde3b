/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of a row, by table: name, type, where to.
 *
 * Foreign numbers are read leniently (a person editing a row in a shell may
 * leave a double or an int32 where an int64 was), everything else strictly.
 */
#ifndef LIB_STORE_FIELDS_H
#define LIB_STORE_FIELDS_H

#include <bson/bson.h>
#include <projector/error.h>
#include <projector/event.h>

enum field_type {
	FIELD_CHARS, /* char[size]; no NUL inside, must fit */
	FIELD_STR,   /* struct pj_str, borrowed */
	FIELD_BYTES, /* struct pj_str, borrowed; BSON null gives ptr NULL */
	FIELD_INT32,
	FIELD_INT64,
	FIELD_ITER, /* bson_iter_t at the field */
};

struct field {
	const char *name;
	enum field_type type;
	void *to;
	size_t size;
};

/* All fields have to be there; FATAL otherwise, naming `what` and field. */
int
fields_read(const uint8_t *bson, size_t len, const char *what,
	    const struct field *fields, size_t n_fields, struct pj_error *err)
	__attribute__((warn_unused_result));

/* libbson refuses only what exceeds 2 GiB; rows are far below. */
void
put_text(bson_t *bson, const char *name, const char *text);
void
put_int32(bson_t *bson, const char *name, int32_t value);
void
put_int64(bson_t *bson, const char *name, int64_t value);
/* ptr NULL with len 0 is written as empty bytes unless `null`. */
void
put_bytes(bson_t *bson, const char *name, struct pj_str bytes, bool null);

#endif
