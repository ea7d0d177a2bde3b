/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/tls.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

struct tls {
	const char *certificate, *key; /* the settings' */
	pthread_mutex_t lock;	       /* ctx */
	SSL_CTX *ctx;
};

static int
refuse(const char *what, const char *file, struct pj_error *err)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);

	ERR_clear_error();
	return pj_error_set(err, PJ_ERROR_CONFIG, "%s '%s': %s", what, file,
			    why ? why : "it cannot be used");
}

/* The only protocol spoken here; without the extension it is meant anyway. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *found = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&found, out_len, ours, sizeof(ours) - 1, in,
				  in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static int
load(const struct tls *tls, SSL_CTX **ret_ctx, struct pj_error *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int rc = -1;

	if (!ctx)
		abort(); /* out of memory: lib/mem.h */
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* A client that ends without close_notify has hung up, no more. */
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
					       SSL_OP_IGNORE_UNEXPECTED_EOF |
					       SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* A connection at rest keeps no buffers. */
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, tls->certificate) != 1)
		(void)refuse("queryapi.tls_certificate", tls->certificate, err);
	else if (SSL_CTX_use_PrivateKey_file(ctx, tls->key, SSL_FILETYPE_PEM) !=
			 1 ||
		 SSL_CTX_check_private_key(ctx) != 1)
		(void)refuse("queryapi.tls_key", tls->key, err);
	else
		rc = 0;
	if (rc == 0)
		*ret_ctx = ctx;
	else
		SSL_CTX_free(ctx);
	return rc;
}

int
tls_new(const struct settings *set, struct tls **ret_tls, struct pj_error *err)
{
	struct tls *tls;

	*ret_tls = NULL;
	if (!*set->queryapi.tls_certificate)
		return 0;
	tls = mem_calloc(1, sizeof(*tls));
	tls->certificate = set->queryapi.tls_certificate;
	tls->key = set->queryapi.tls_key;
	if (load(tls, &tls->ctx, err) < 0) {
		free(tls);
		return -1;
	}
	(void)pthread_mutex_init(&tls->lock, NULL);
	*ret_tls = tls;
	return 0;
}

void
tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	(void)pthread_mutex_destroy(&tls->lock);
	free(tls);
}

int
tls_reload(struct tls *tls, struct pj_error *err)
{
	SSL_CTX *fresh, *old;

	if (load(tls, &fresh, err) < 0)
		return -1;
	(void)pthread_mutex_lock(&tls->lock);
	old = tls->ctx;
	tls->ctx = fresh;
	(void)pthread_mutex_unlock(&tls->lock);
	/* Connections hold references of their own. */
	SSL_CTX_free(old);
	return 0;
}

void
tls_not_after(struct tls *tls, char out[TLS_DATE_MAX])
{
	const X509 *cert;
	struct tm tm;

	(void)snprintf(out, TLS_DATE_MAX, "unknown");
	(void)pthread_mutex_lock(&tls->lock);
	cert = SSL_CTX_get0_certificate(tls->ctx);
	if (cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
		(void)strftime(out, TLS_DATE_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)pthread_mutex_unlock(&tls->lock);
}

struct bufferevent *
tls_accept(struct tls *tls, struct event_base *base, int fd)
{
	struct bufferevent *bev;
	SSL *ssl;

	(void)pthread_mutex_lock(&tls->lock);
	ssl = SSL_new(tls->ctx);
	(void)pthread_mutex_unlock(&tls->lock);
	bev = ssl ? bufferevent_openssl_socket_new(base, fd, ssl,
						   BUFFEREVENT_SSL_ACCEPTING,
						   BEV_OPT_CLOSE_ON_FREE)
		  : NULL;
	if (!bev)
		abort(); /* out of memory: lib/mem.h */
	return bev;
}

void
tls_goodbye(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (!ssl || !SSL_is_init_finished(ssl))
		return;
	(void)SSL_shutdown(ssl);
	ERR_clear_error();
}
