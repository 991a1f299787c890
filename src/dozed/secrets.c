#include "dozed/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/rand.h"
#include "conf/listen.h"
#include "dozed/pki.h"
#include "ipc/agent.h"

#define SECRET_MAX (64 * KIB)
#define LEAVES_MS  (300LL * 86400 * 1000) /* a leaf is valid for 390 days (pki.c) */

/* 1: read; 0: there is none; -1. */
static int secret_read(int dir, const char *name, struct buf *to, struct err *e)
{
	autoclose int fd = io_open_below(dir, name, O_RDONLY, 0);
	int rc;

	if (fd == -ENOENT)
		return 0;
	errno = -fd;
	if (fd < 0)
		return err_sys(e, "open secrets/%s", name);
	rc = io_read_all(fd, to, SECRET_MAX);
	errno = -rc;
	return rc ? err_sys(e, "read secrets/%s", name) : 1;
}

static int secret_write(int dir, const char *name, const struct buf *data, mode_t mode,
			struct err *e)
{
	return io_replace(dir, name, data->data, data->size, mode, e);
}

/* Gives clients a copy of a secret. A copy that is right already is left alone, because a start
 * must not need room on a disk that is full. */
static int secret_publish(int data_fd, const char *name, const struct buf *data, mode_t mode,
			  struct err *e)
{
	autoclose int fd = io_open_below(data_fd, name, O_RDONLY, 0);
	autobuf struct buf have = { .secret = true };
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && (st.st_mode & 07777) == mode &&
	    !io_read_all(fd, &have, SECRET_MAX) && have.size == data->size &&
	    !memcmp(have.data, data->data, data->size))
		return 0;
	return io_replace(data_fd, name, data->data, data->size, mode, e);
}

struct secret_ca {
	const char *key, *cert; /* files */
	const char *name;
};

static const struct secret_ca secret_servers = { "ca.key", "ca.crt", "doze local CA" };
static const struct secret_ca secret_clients = { "client-ca.key", "client-ca.crt",
						 "doze client CA" };

/* The key is written first. After a crash between the two, the next start makes a new pair. */
static int secrets_ca(int dir, const struct secret_ca *ca, struct buf *key, struct buf *cert,
		      struct err *e)
{
	int have_key = secret_read(dir, ca->key, key, e);
	int have_cert = have_key < 0 ? -1 : secret_read(dir, ca->cert, cert, e);

	if (have_cert < 0)
		return -1;
	if (have_key && have_cert)
		return 0;
	buf_clear(key);
	buf_clear(cert);
	if (pki_make_ca(ca->name, key, cert, e) || secret_write(dir, ca->key, key, 0600, e))
		return -1;
	return secret_write(dir, ca->cert, cert, 0644, e);
}

static int secrets_client_ca(int dir, struct secrets *s, struct err *e)
{
	struct buf *signer = &s->each[SECRET_CLIENT_SIGNER], *cert = &s->each[SECRET_CLIENT_CA];

	if (secrets_ca(dir, &secret_clients, signer, cert, e))
		return -1;
	buf_add(signer, cert->data, cert->size);
	return 0;
}

static void base64url(const uint8_t *data, int size, char *out)
{
	int n = EVP_EncodeBlock((unsigned char *)out, data, size);

	while (n && out[n - 1] == '=')
		n--;
	out[n] = '\0';
	for (char *c = out; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
}

static int secrets_tokens(int dir, struct buf *to, struct err *e)
{
	int have = secret_read(dir, "token-keys.json", to, e);
	char kid[UUID_SIZE], key[64];
	uint8_t bytes[32];

	if (have)
		return have < 0 ? -1 : 0;
	rand_uuid(kid);
	rand_bytes(bytes, sizeof(bytes));
	base64url(bytes, sizeof(bytes), key);
	buf_addf(to, "{\"current\":\"%s\",\"keys\":{\"%s\":\"%s\"}}\n", kid, kid, key);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(key, sizeof(key));
	return secret_write(dir, "token-keys.json", to, 0600, e);
}

static void random_text(char *out, size_t n, const char *alphabet)
{
	size_t letters = strlen(alphabet);

	for (size_t i = 0; i < n; i++) {
		uint8_t byte;

		do
			rand_bytes(&byte, 1);
		while (byte >= 256 - 256 % letters);
		out[i] = alphabet[byte % letters];
	}
	out[n] = '\0';
}

static int secrets_credentials(int dir, struct buf *to, struct err *e)
{
	static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	static const char any[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	int have = secret_read(dir, "credentials", to, e);
	char id[17], secret[41];

	if (have)
		return have < 0 ? -1 : 0;
	random_text(id, sizeof(id) - 1, upper);
	random_text(secret, sizeof(secret) - 1, any);
	buf_addf(to, "[default]\naws_access_key_id = AKIA%s\naws_secret_access_key = %s\n", id,
		 secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	return secret_write(dir, "credentials", to, 0600, e);
}

/* The names of a leaf: those that clients on this host use, and those of other machines. */
struct leaf_names {
	char *at[LISTEN_ADDRESSES + 8]; /* ends with NULL; owned */
	size_t n;
};

static void leaf_add(struct leaf_names *names, const char *kind, const char *name)
{
	assert(names->n + 1 < ARRAY_SIZE(names->at));
	names->at[names->n++] = xasprintf("%s%s", kind, name);
}

/* The loopbacks are always among them. */
static void leaf_add_addresses(struct leaf_names *names, const struct listen_addresses *to)
{
	static const char *const always[] = { "127.0.0.1", "::1" };

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		leaf_add(names, "IP:", always[i]);
	for (size_t i = 0; i < to->n; i++)
		if (!listen_is_wild(to->at[i]) && strcmp(to->at[i], always[0]) != 0 &&
		    strcmp(to->at[i], always[1]) != 0)
			leaf_add(names, "IP:", to->at[i]);
}

/* The leaf before it stays where none can be made. */
static int leaf_make(struct secrets *s, struct buf *ca_key, enum secret which,
		     struct leaf_names *names, struct err *e)
{
	struct buf fresh = { .secret = true };
	int rc = pki_make_leaf(ca_key, &s->each[SECRET_CA_CERT], (const char *const *)names->at,
			       &fresh, e);

	while (names->n)
		free(names->at[--names->n]);
	if (rc) {
		buf_free(&fresh);
		return -1;
	}
	buf_free(&s->each[which]);
	s->each[which] = fresh;
	return 0;
}

static int secrets_leaves(struct secrets *s, const struct conf *conf, struct buf *ca_key,
			  struct err *e)
{
	autofree char *wild = xasprintf("*.lambda-microvm.%s.%s", conf->region, conf->domain);
	struct leaf_names api = { 0 }, s3 = { 0 }, endpoint = { 0 };
	struct listen_addresses to;

	if (listen_read(conf->listen, &to, e))
		return -1;
	leaf_add(&api, "DNS:", "localhost");
	leaf_add(&s3, "DNS:", "localhost");
	leaf_add(&s3, "DNS:", "s3.localhost");
	leaf_add(&s3, "DNS:", "*.s3.localhost");
	leaf_add(&endpoint, "DNS:", wild);
	if (listen_is_address(conf->api_name)) {
		leaf_add(&api, "IP:", conf->api_name);
		leaf_add(&s3, "IP:", conf->api_name);
		leaf_add(&endpoint, "IP:", conf->api_name);
	} else if (*conf->api_name) {
		leaf_add(&api, "DNS:", conf->api_name);
		leaf_add(&s3, "DNS:", conf->api_name);
		leaf_add(&s3, "DNS:*.", conf->api_name); /* buckets as hosts */
	}
	leaf_add(&api, "IP:", SLOT_API_IP);
	leaf_add(&s3, "IP:", SLOT_API_IP);
	leaf_add_addresses(&api, &to);
	leaf_add_addresses(&s3, &to);
	leaf_add_addresses(&endpoint, &to);
	if (leaf_make(s, ca_key, SECRET_TLS_API, &api, e) ||
	    leaf_make(s, ca_key, SECRET_TLS_S3, &s3, e) ||
	    leaf_make(s, ca_key, SECRET_TLS_ENDPOINT, &endpoint, e))
		return -1;
	s->leaves_ms = clock_wall_ms();
	return 0;
}

int secrets_renew_leaves(struct secrets *s, const struct conf *conf, int64_t now_ms, struct err *e)
{
	autofree char *path = xasprintf("%s/secrets", conf->data_dir);
	autobuf struct buf ca_key = { .secret = true };
	autoclose int dir = -1;

	if (now_ms - s->leaves_ms < LEAVES_MS)
		return 0;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_sys(e, "open '%s'", path);
	if (secret_read(dir, "ca.key", &ca_key, e) != 1)
		return -1;
	return secrets_leaves(s, conf, &ca_key, e) ? -1 : 1;
}

void secrets_change_tickets(struct secrets *s)
{
	struct buf *b = &s->each[SECRET_TICKETS];
	struct super_tickets tickets;

	rand_bytes(&tickets, sizeof(tickets));
	if (b->size == sizeof(tickets))
		memcpy(&tickets.keys[1], b->data, sizeof(tickets.keys[1]));
	buf_clear(b);
	buf_add(b, &tickets, sizeof(tickets));
	OPENSSL_cleanse(&tickets, sizeof(tickets));
}

int secrets_load(struct secrets *s, const struct conf *conf, int data_fd, struct err *e)
{
	autobuf struct buf problems = { 0 };
	autobuf struct buf ca_key = { .secret = true };
	int rc = io_mkdir(data_fd, "secrets", 0700);
	autoclose int dir = rc ? -1 : io_open_below(data_fd, "secrets", O_RDONLY | O_DIRECTORY, 0);

	for (size_t i = 0; i < SECRET_NUM; i++)
		s->each[i] = (struct buf){ .secret = true };
	errno = rc ? -rc : -dir;
	if (rc || dir < 0)
		return err_sys(e, "open %s/secrets", conf->data_dir);
	rc = secrets_ca(dir, &secret_servers, &ca_key, &s->each[SECRET_CA_CERT], e) ||
	     secrets_client_ca(dir, s, e) || secrets_tokens(dir, &s->each[SECRET_TOKEN_KEYS], e) ||
	     secrets_credentials(dir, &s->each[SECRET_CREDENTIALS], e) ||
	     secrets_keys(dir, conf, &s->each[SECRET_KMS], e) ||
	     secrets_leaves(s, conf, &ca_key, e) ||
	     /* for clients: the certificate to trust, and root's credentials */
	     secret_publish(data_fd, "ca.crt", &s->each[SECRET_CA_CERT], 0644, e) ||
	     secret_publish(data_fd, "client-credentials", &s->each[SECRET_CREDENTIALS], 0600, e);
	if (rc)
		return -1;
	secrets_change_tickets(s);
	secrets_read_certificates(s, conf, &problems);
	return 0;
}

void secrets_free(struct secrets *s)
{
	for (size_t i = 0; i < SECRET_NUM; i++)
		buf_free(&s->each[i]);
}

int secrets_fd(const struct secrets *s, enum secret which, struct err *e)
{
	autoclose int fd = memfd_create("secret", MFD_CLOEXEC);
	int rc = fd < 0 ? -errno : io_write_full(fd, s->each[which].data, s->each[which].size);

	errno = -rc;
	if (rc || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "hand over a secret");
	return fd_steal(&fd);
}
