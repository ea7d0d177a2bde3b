/* SPDX-License-Identifier: Apache-2.0 */
/* MongoDB's codes to classes: the only table of them. */
#include <string.h>

#include "lib/buf.h"
#include "lib/store_mongo.h"

struct mongo_code {
	int32_t code;
	enum pj_error_class cls;
};

/*
 * Server codes that are no outage. Everything else is RETRY: a code nobody
 * foresaw must neither park records nor end the process.
 */
static const struct mongo_code mongo_codes[] = {
	{2, PJ_ERROR_FATAL},	  /* BadValue */
	{9, PJ_ERROR_FATAL},	  /* FailedToParse */
	{13, PJ_ERROR_CONFIG},	  /* Unauthorized */
	{14, PJ_ERROR_FATAL},	  /* TypeMismatch */
	{15, PJ_ERROR_FATAL},	  /* Overflow: nested too deep to be read */
	{18, PJ_ERROR_CONFIG},	  /* AuthenticationFailed */
	{20, PJ_ERROR_CONFIG},	  /* IllegalOperation: standalone */
	{59, PJ_ERROR_FATAL},	  /* CommandNotFound */
	{72, PJ_ERROR_FATAL},	  /* InvalidOptions */
	{73, PJ_ERROR_CONFIG},	  /* InvalidNamespace */
	{166, PJ_ERROR_CONFIG},	  /* CommandNotSupportedOnView */
	{8000, PJ_ERROR_CONFIG},  /* AtlasError: authentication, quota */
	{10334, PJ_ERROR_FATAL},  /* BSONObjectTooLarge, of a command */
	{13297, PJ_ERROR_CONFIG}, /* DatabaseDifferCase */
	{40415, PJ_ERROR_FATAL},  /* unknown field of a command */
};

/* Client-side codes, with error API version 2. */
static enum pj_error_class
mongo_client_class(const bson_error_t *error)
{
	switch (error->domain) {
	case MONGOC_ERROR_CLIENT:
		if (error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
			return PJ_ERROR_CONFIG;
		return error->code == MONGOC_ERROR_CLIENT_TOO_BIG
			       ? PJ_ERROR_FATAL
			       : PJ_ERROR_RETRY;
	case MONGOC_ERROR_SASL:
	case MONGOC_ERROR_SCRAM:
		return PJ_ERROR_CONFIG;
	case MONGOC_ERROR_PROTOCOL:
		return error->code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION
			       ? PJ_ERROR_CONFIG
			       : PJ_ERROR_RETRY;
	case MONGOC_ERROR_BSON:
	case MONGOC_ERROR_COMMAND:
	case MONGOC_ERROR_NAMESPACE:
		return PJ_ERROR_FATAL;
	default:
		return PJ_ERROR_RETRY;
	}
}

enum pj_error_class
mongo_error_class(const bson_error_t *error, const bson_t *reply)
{
	size_t i;

	/* The server's own word that the same again may work. */
	if (reply &&
	    (mongoc_error_has_label(reply, "RetryableWriteError") ||
	     mongoc_error_has_label(reply, "RetryableReadError") ||
	     mongoc_error_has_label(reply, "TransientTransactionError") ||
	     mongoc_error_has_label(reply, "NetworkError")))
		return PJ_ERROR_RETRY;
	if (error->domain != MONGOC_ERROR_SERVER)
		return mongo_client_class(error);
	for (i = 0; i < sizeof(mongo_codes) / sizeof(mongo_codes[0]); i++)
		if (mongo_codes[i].code == (int32_t)error->code)
			return mongo_codes[i].cls;
	return PJ_ERROR_RETRY;
}

/* ---- Refusals of one document (protocol rule 5) --------------------------
 */

/* Named: whatever is not here is no refusal, so that nothing is parked for it.
 */
static const int32_t mongo_refusals[] = {
	2,     /* BadValue: a value the server cannot keep, nesting */
	52,    /* DollarPrefixedFieldName */
	53,    /* InvalidIdField */
	56,    /* EmptyFieldName */
	57,    /* DottedFieldName */
	10334, /* BSONObjectTooLarge */
	17280, /* KeyTooLong */
	17419, /* the document after an update is too large */
	17420, /* the document to insert is too large */
	/* Indexes and validators that a person has added. */
	121,   /* DocumentValidationFailure */
	171,   /* CannotIndexParallelArrays */
	13026, /* 2d: a location has one number only */
	13027, /* 2d: outside of the bounds */
	13068, /* 2d: a location has no second number */
	16755, /* 2dsphere: no geometry */
	16766, /* hashed: an array */
	16804, /* 2d: no location */
	17261, /* text: its language is no string */
	17262, /* text: no such language */
};

static int32_t
write_error_code(const bson_t *write_error)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, write_error, "code")
		       ? (int32_t)bson_iter_as_int64(&it)
		       : 0;
}

/*
 * A duplicate key is of an index of the server's user, unless it is of `_id`:
 * then it is somebody's write, or our own of which nothing came back. A server
 * that does not say of which index has said nothing.
 */
static bool
is_of_other_index(const bson_t *write_error)
{
	bson_iter_t it, fields;

	if (!bson_iter_init_find(&it, write_error, "keyPattern") ||
	    !BSON_ITER_HOLDS_DOCUMENT(&it) ||
	    !bson_iter_recurse(&it, &fields) || !bson_iter_next(&fields))
		return false;
	return strcmp(bson_iter_key(&fields), "_id") != 0 ||
	       bson_iter_next(&fields);
}

bool
mongo_is_refusal(const bson_t *write_error)
{
	int32_t code = write_error_code(write_error);
	size_t i;

	if (code == MONGO_DUPLICATE_KEY)
		return is_of_other_index(write_error);
	for (i = 0; i < sizeof(mongo_refusals) / sizeof(mongo_refusals[0]); i++)
		if (mongo_refusals[i] == code)
			return true;
	return false;
}

/* Some texts have the whole document between their beginning and the reason. */
static void
put_cut(struct buf *out, const char *text, size_t max)
{
	static const char gap[] = " ... ";
	size_t len = strlen(text), half = (max - strlen(gap)) / 2;
	const char *tail = text + len - half;

	if (len <= max) {
		buf_addstr(out, text);
		return;
	}
	/* Never within a character. */
	while (half > 0 && ((unsigned char)text[half] & 0xc0) == 0x80)
		half--;
	while (((unsigned char)*tail & 0xc0) == 0x80)
		tail++;
	buf_add(out, text, half);
	buf_addstr(out, gap);
	buf_addstr(out, tail);
}

/*
 * What a validator found, without the words that are always the same: names are
 * told of what the rule says only, they are fields there.
 */
static void
put_details(struct buf *out, bson_iter_t *it, bool named)
{
	while (bson_iter_next(it)) {
		const char *name = bson_iter_key(it);
		bson_iter_t inner;

		if (named)
			buf_printf(out, " %s", name);
		if (BSON_ITER_HOLDS_UTF8(it))
			buf_printf(out, " %s", bson_iter_utf8(it, NULL));
		else if (BSON_ITER_HOLDS_DOUBLE(it))
			buf_printf(out, " %g", bson_iter_double(it));
		else if (BSON_ITER_HOLDS_NUMBER(it))
			buf_printf(out, " %lld",
				   (long long)bson_iter_as_int64(it));
		else if (bson_iter_recurse(it, &inner))
			put_details(out, &inner,
				    strcmp(name, "specifiedAs") == 0 ||
					    (named &&
					     BSON_ITER_HOLDS_DOCUMENT(it)));
	}
}

char *
mongo_refusal_text(const bson_t *write_error)
{
	enum { TEXT_MAX = 160, DETAILS_MAX = 100 };
	struct buf out = BUF_INIT, details = BUF_INIT;
	bson_iter_t it, info;

	if (bson_iter_init_find(&it, write_error, "errmsg") &&
	    BSON_ITER_HOLDS_UTF8(&it))
		put_cut(&out, bson_iter_utf8(&it, NULL), TEXT_MAX);
	else
		buf_printf(&out, "error %d",
			   (int)write_error_code(write_error));
	if (bson_iter_init(&it, write_error) &&
	    bson_iter_find_descendant(&it, "errInfo.details", &info) &&
	    bson_iter_recurse(&info, &it)) {
		put_details(&details, &it, false);
		buf_addstr(&out, ":");
		put_cut(&out, details.data ? details.data : "", DETAILS_MAX);
		buf_release(&details);
	}
	return buf_detach(&out, NULL);
}

bool
mongo_is_command_refusal(int32_t code)
{
	return code == 15 || code == 10334;
}

int
mongo_error_set(struct pj_error *err, const struct store *store,
		const char *what, const bson_error_t *error,
		const bson_t *reply)
{
	pj_error_set(err, mongo_error_class(error, reply), "%s: %s: %s",
		     store->name, what, error->message);
	if (error->domain == MONGOC_ERROR_SERVER)
		err->code = (int)error->code;
	return -1;
}
