/* SPDX-License-Identifier: Apache-2.0 */
/* MongoDB's codes to classes: the only table of them. */
#include <string.h>

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

/*
 * Only what depends on the document's bytes and nothing else. Duplicate keys
 * of other unique indexes, geo indexes and validators depend on more: verify.
 */
bool
mongo_is_refusal(int32_t code)
{
	static const int32_t codes[] = {
		2,     /* BadValue: a value the server cannot keep, nesting */
		52,    /* DollarPrefixedFieldName */
		53,    /* InvalidIdField */
		56,    /* EmptyFieldName */
		57,    /* DottedFieldName */
		10334, /* BSONObjectTooLarge */
		17280, /* KeyTooLong */
		17419, /* the document after an update is too large */
		17420, /* the document to insert is too large */
	};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == code)
			return true;
	return false;
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
