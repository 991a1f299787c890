/* token.c - a token for a microVM, or a certificate that carries one. */

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cli.h"
#include "cli/port_words.h"

#define TOKEN_MINUTES 60 /* the most that there is */

/* What both forms are asked for with; NULL: said what is wrong. */
static json_t *token_ask(const struct typed *t)
{
	const char *ports = typed_option(t, "--ports"), *expires = typed_option(t, "--expires");
	struct port_range ranges[PORT_RANGES];
	long minutes = TOKEN_MINUTES;
	json_t *list;
	struct err e;
	size_t n = 0;

	if (expires && words_number("--expires", expires, 1, TOKEN_MINUTES, &minutes))
		return NULL;
	if (ports && port_words_read_ranges(ports, ranges, &n, &e)) {
		say(&e);
		return NULL;
	}
	list = n ? json_array() : json_pack("[{s{}}]", "allPorts");
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s{sIsI}}", "range", "startPort",
						      (json_int_t)ranges[i].first, "endPort",
						      (json_int_t)ranges[i].last));
	return json_pack("{sI so}", "expirationInMinutes", (json_int_t)minutes, "allowedPorts",
			 list);
}

static int token_print(struct client *c, const char *id, json_t *ask, struct err *e)
{
	autofree char *path = xasprintf("/2025-09-09/microvms/%s/auth-token", id);
	json_t *answer = client_json(c, "POST", path, ask, e);

	if (!answer)
		return -1;
	if (c->json)
		json_print(answer);
	else
		puts(json_text(json_object_get(answer, "authToken"), "X-aws-proxy-auth"));
	json_decref(answer);
	return 0;
}

static bool token_take_pem(BIO *bio, struct buf *to)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);

	if (n > 0)
		buf_add(to, data, (size_t)n);
	(void)BIO_reset(bio);
	return n > 0;
}

/* The key stays here: doze signs what belongs to it and never sees it. */
static int token_make_key(struct buf *key, struct buf *public, struct err *e)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_secmem());
	bool made = pair && bio && PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL) &&
		    token_take_pem(bio, key) && PEM_write_bio_PUBKEY(bio, pair) &&
		    token_take_pem(bio, public);

	BIO_free(bio);
	EVP_PKEY_free(pair);
	return made ? 0 : err_set(e, ERR_INTERNAL, "a key cannot be made");
}

static int token_write(const char *out, const char *ending, const void *data, size_t size,
		       struct err *e)
{
	const char *slash = strrchr(out, '/');
	autofree char *folder = slash ? xasprintf("%.*s/", (int)(slash - out), out) : xstrdup(".");
	autofree char *name = xasprintf("%s.%s", slash ? slash + 1 : out, ending);
	autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, "open the folder '%s'", folder);
	return io_replace(dir, name, data, size, 0600, e);
}

static int token_certify(struct client *c, const char *id, json_t *ask, const char *out,
			 struct err *e)
{
	autofree char *path = xasprintf("/doze/v1/microvms/%s/certificate", id);
	autobuf struct buf key = { .secret = true };
	autobuf struct buf public = { 0 };
	const char *certificate;
	json_t *answer;
	int rc;

	if (token_make_key(&key, &public, e))
		return -1;
	json_object_set_new(ask, "publicKey", json_string(buf_str(&public)));
	answer = client_json(c, "POST", path, ask, e);
	if (!answer)
		return -1;
	certificate = json_text(answer, "certificate");
	rc = token_write(out, "key", key.data, key.size, e) ||
	     token_write(out, "crt", certificate, strlen(certificate), e);
	json_decref(answer);
	return rc ? -1 : 0;
}

/* Which files, and the name that a client is to be given. */
static int token_say_where(struct client *c, const char *id, const char *out, struct err *e)
{
	autofree char *path = xasprintf("/2025-09-09/microvms/%s", id);
	json_t *vm = client_json(c, "GET", path, NULL, e);
	const char *host = json_text(vm, "endpoint"), *colon = strchr(host, ':');
	autofree char *name = xasprintf("PORT-%.*s", (int)strcspn(host, ":"), host);
	autofree char *cert = xasprintf("%s.crt", out), *key = xasprintf("%s.key", out);
	const char *port = colon ? colon + 1 : "443";

	if (!vm)
		return -1;
	if (c->json) {
		json_t *o = json_pack("{ss ss ss ss ss}", "certificate", cert, "key", key, "ca",
				      c->ca_file, "host", name, "port", port);

		json_print(o);
		json_decref(o);
	} else {
		printf("certificate  %s\nkey          %s\nCA           %s\nhost         %s\n"
		       "port         %s\n",
		       cert, key, c->ca_file, name, port);
	}
	json_decref(vm);
	return 0;
}

int cmd_token(struct client *c, const struct typed *t)
{
	const char *out = typed_option(t, "--out");
	bool certify = typed_option(t, "--cert");
	autofree char *id = NULL;
	json_t *ask;
	struct err e;
	int rc;

	if (out && !certify)
		return say_text("--out is where --cert writes to");
	ask = token_ask(t);
	if (!ask)
		return USAGE;
	id = name_microvm(c, t->words.at[0], &e);
	if (!id)
		rc = -1;
	else if (certify)
		rc = token_certify(c, id, ask, out ? out : id, &e) ||
		     token_say_where(c, id, out ? out : id, &e);
	else
		rc = token_print(c, id, ask, &e);
	json_decref(ask);
	return rc ? say(&e) : 0;
}
