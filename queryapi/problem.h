/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error shape: RFC 9457 problem details.
 *
 *	{"type":"urn:shopview:problem:not-found","title":"Not Found",
 *	 "status":404,"detail":"…","instance":"urn:shopview:request:4f2a…"}
 */
#ifndef QUERYAPI_PROBLEM_H
#define QUERYAPI_PROBLEM_H

#include "queryapi/http_response.h"

enum problem {
	PROBLEM_BAD_REQUEST,	  /* 400 */
	PROBLEM_UNAUTHORIZED,	  /* 401 */
	PROBLEM_FORBIDDEN,	  /* 403 */
	PROBLEM_VIEW_NOT_FOUND,	  /* 404 */
	PROBLEM_PAGE_NOT_FOUND,	  /* 404 */
	PROBLEM_NOT_FOUND,	  /* 404 */
	PROBLEM_PARKED,		  /* 404: only parked records */
	PROBLEM_NO_SUCH_RESOURCE, /* 404 */
	PROBLEM_METHOD,		  /* 405 */
	PROBLEM_REQUEST_TIMEOUT,  /* 408 */
	PROBLEM_NOT_APPLICABLE,	  /* 409: a position of no source */
	PROBLEM_DELETED,	  /* 410 */
	PROBLEM_PRECONDITION,	  /* 412 */
	PROBLEM_CONTENT_LARGE,	  /* 413 */
	PROBLEM_URI_TOO_LONG,	  /* 414 */
	PROBLEM_MEDIA_TYPE,	  /* 415 */
	PROBLEM_EXPECTATION,	  /* 417 */
	PROBLEM_TOO_MANY,	  /* 429; the caller adds Retry-After */
	PROBLEM_HEADERS,	  /* 431 */
	PROBLEM_INTERNAL,	  /* 500 */
	PROBLEM_NOT_SUPPORTED,	  /* 501 */
	PROBLEM_STORE,		  /* 503: the store is away */
	PROBLEM_OVERLOADED,	  /* 503: a queue or a limit is full */
	PROBLEM_TIMEOUT,	  /* 503: took too long */
	PROBLEM_NOT_REACHED,	  /* 503: the position asked for */
	PROBLEM_VERSION,	  /* 505 */
};

/* The problem a refused request head is: by its status. */
enum problem
problem_of_status(int status);

/*
 * Makes *res this problem, whatever it was before. request_id may be NULL. The
 * detail is a sentence for a person; valid UTF-8. 503 gets Retry-After;
 * everything but 404 and 410 gets Cache-Control: no-store.
 */
void
problem_write(struct http_response *res, enum problem kind,
	      const char *request_id, const char *detail);

#endif
