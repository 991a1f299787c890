#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "cli/suggest.h"
#include "wire/creds.h"
#include "wire/sigv4.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ANSWER_MAX   (256 * MIB)

int client_locate(struct client *c, const char *instance, struct err *e)
{
	autofree char *path = NULL;
	autoclose int fd = -1;

	conf_defaults(&c->conf, instance);
	path = xasprintf("%s/doze.ini", c->conf.etc_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return err_set(e, ERR_DENIED,
			       "cannot read '%s': %s; run this as root, or let everyone read it",
			       path, strerror(errno));
	return conf_read(&c->conf, fd, path, e);
}

int client_read_key(struct client *c, const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };
	struct creds creds;

	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	if (io_read_all(fd, &text, 64 * KIB))
		return err_set(e, ERR_INVALID, "'%s' cannot be read", path);
	if (creds_parse(buf_str(&text), text.size, &creds, e))
		return err_wrap(e, "%s", path);
	if (!creds.n)
		return err_set(e, ERR_INVALID, "there is no key pair in '%s'", path);
	snprintf(c->access_key, sizeof(c->access_key), "%s", creds.keys[0].access_key);
	snprintf(c->secret, sizeof(c->secret), "%s", creds.keys[0].secret);
	return 0;
}

/* Says why there is no key pair, and what to do about it. */
static int client_no_creds(struct client *c, const char *roots, const char *own, struct err *e)
{
	autofree char *up = command_text(&c->conf, "up");

	if (access(c->conf.data_dir, F_OK))
		return err_set(e, ERR_NOT_FOUND,
			       "%s%s has never been started here, for there is no '%s': start it "
			       "with '%s'",
			       *c->conf.instance ? "instance " : "doze", c->conf.instance,
			       c->conf.data_dir, up);
	if (!geteuid())
		return err_set(e, ERR_NOT_FOUND,
			       "there is no key pair in '%s': start doze with '%s'", roots, up);
	return err_set(
		e, ERR_DENIED,
		"you have no key pair for doze: run this as root, or copy root's once: mkdir "
		"-p ~/.config/doze && sudo install -o $(id -un) -m 600 %s %s",
		roots, own);
}

/* The daemon's own file comes first because its key is always the right one, while the environment
 * may belong to the real AWS. */
static int client_creds(struct client *c, struct err *e)
{
	const char *home = getenv("HOME");
	autofree char *own = xasprintf("%s/.config/doze/credentials%s%s", home ? home : "",
				       *c->conf.instance ? "-" : "", c->conf.instance);
	autofree char *roots = xasprintf("%s/client-credentials", c->conf.data_dir);

	if (!client_read_key(c, roots, e) || !client_read_key(c, own, e))
		return 0;
	return client_no_creds(c, roots, own, e);
}

int client_connect(struct client *c, struct err *e)
{
	snprintf(c->ca_file, sizeof(c->ca_file), "%s/ca.crt", c->conf.data_dir);
	snprintf(c->host, sizeof(c->host), "127.0.0.1");
	return client_creds(c, e) ? -1 : client_attach(c, e);
}

int client_attach(struct client *c, struct err *e)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	c->curl = curl_easy_init();
	return c->curl ? 0 : err_set(e, ERR_INTERNAL, "libcurl cannot be initialised");
}

int client_open(struct client *c, const char *instance, struct err *e)
{
	return client_locate(c, instance, e) ? -1 : client_connect(c, e);
}

void client_close(struct client *c)
{
	if (c->curl)
		curl_easy_cleanup(c->curl);
	c->curl = NULL;
}

static size_t client_take(char *data, size_t one, size_t n, void *arg)
{
	struct buf *b = arg;

	if (b->size + one * n > ANSWER_MAX)
		return 0;
	buf_add(b, data, one * n);
	return one * n;
}

struct error_header {
	char type[128];
};

static size_t client_header(char *data, size_t one, size_t n, void *arg)
{
	static const char name[] = "x-amzn-errortype:";
	struct error_header *h = arg;
	size_t size = one * n;

	if (size > sizeof(name) && !strncasecmp(data, name, sizeof(name) - 1)) {
		const char *value = data + sizeof(name) - 1;
		size_t left = size - (sizeof(name) - 1);

		while (left && (*value == ' ')) {
			value++;
			left--;
		}
		while (left && (value[left - 1] == '\r' || value[left - 1] == '\n'))
			left--;
		snprintf(h->type, sizeof(h->type), "%.*s", (int)left, value);
	}
	return size;
}

struct request {
	const char *method, *path, *service, *payload_hash;
	long port;
	const char *body; /* NULL where a file is sent */
	FILE *file;
	curl_off_t file_size;
};

/* CURLOPT_AWS_SIGV4 cannot take this over: libcurl 7.88 (Debian 12) signs the path as it is sent,
 * but every service except S3 encodes it a second time.  Each call whose path holds an escaped ARN
 * ("%3A") would be denied.  libcurl also signs the query as it stands: neither sorted, nor with the
 * '=' of a name that has no value. */
static struct curl_slist *client_sign(struct client *c, const struct request *r)
{
	struct sigv4_key key = { c->access_key, c->secret, c->conf.region, r->service };
	autofree char *host = xasprintf("%s:%ld", c->host, r->port);
	autobuf struct buf auth = { 0 };
	struct curl_slist *headers = NULL;
	char date[17], line[256];

	sigv4_sign(r->method, r->path, host, r->payload_hash, &key, strcmp(r->service, "s3") != 0,
		   clock_wall_ms(), date, &auth);
	snprintf(line, sizeof(line), "X-Amz-Date: %s", date);
	headers = curl_slist_append(headers, line);
	snprintf(line, sizeof(line), "X-Amz-Content-Sha256: %s", r->payload_hash);
	headers = curl_slist_append(headers, line);
	autofree char *authorization = xasprintf("Authorization: %s", buf_str(&auth));
	headers = curl_slist_append(headers, authorization);
	headers = curl_slist_append(headers, r->file ? "Content-Type: application/octet-stream"
						     : "Content-Type: application/json");
	return curl_slist_append(headers, "Expect:");
}

static void client_prepare(struct client *c, const struct request *r, struct curl_slist *headers,
			   struct buf *answer, struct error_header *error)
{
	autofree char *url = xasprintf("https://%s:%ld%s", c->host, r->port, r->path);
	CURL *curl = c->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(curl, CURLOPT_CAINFO, c->ca_file);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, c->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, client_take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, client_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, error);
	if (r->file) {
		curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
		curl_easy_setopt(curl, CURLOPT_READDATA, r->file);
		curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, r->file_size);
	} else if (r->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body);
	}
}

static const enum err_kind kind_of_status[] = { ERR_INVALID, ERR_DENIED, ERR_NOT_FOUND,
						ERR_CONFLICT };

static int client_refused(long status, const struct error_header *error, struct buf *answer,
			  struct err *e)
{
	static const long known[] = { 400, 403, 404, 409 };
	json_t *body = json_loadb((const char *)answer->data, answer->size, 0, NULL);
	const char *text = json_string_value(json_object_get(body, "message"));
	enum err_kind kind = ERR_INTERNAL;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == status)
			kind = kind_of_status[i];
	if (!text)
		text = json_string_value(json_object_get(body, "Message"));
	if (!text)
		text = answer->size && answer->size < 600 ? buf_str(answer) : "no reason given";
	err_set(e, kind, "%s%s%s", error->type, *error->type ? ": " : "", text);
	json_decref(body);
	return -1;
}

static int client_perform(struct client *c, const struct request *r, struct buf *answer,
			  long *status, struct err *e)
{
	struct error_header error = { "" };
	char why[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = client_sign(c, r);
	CURLcode rc;

	client_prepare(c, r, headers, answer, &error);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, why);
	rc = curl_easy_perform(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(headers);
	*status = 0;
	if (rc == CURLE_PEER_FAILED_VERIFICATION && *c->profile)
		return err_set(e, ERR_DENIED,
			       "https://%s:%ld is not trusted: %s (the server's certificate has "
			       "the name that [service] api_name of its doze.ini gives)",
			       c->host, r->port, why);
	if (rc && *c->profile)
		return err_set(e, ERR_CAPACITY, "https://%s:%ld: %s", c->host, r->port,
			       *why ? why : curl_easy_strerror(rc));
	if (rc == CURLE_COULDNT_CONNECT) {
		autofree char *up = command_text(&c->conf, "up");

		return err_set(e, ERR_CAPACITY,
			       "doze does not answer on port %ld: start it with '%s'", r->port, up);
	}
	if (rc)
		return err_set(e, ERR_INTERNAL, "%s %s: %s", r->method, r->path,
			       curl_easy_strerror(rc));
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, status);
	return *status >= 300 ? client_refused(*status, &error, answer, e) : 0;
}

int client_call(struct client *c, const char *method, const char *path, const char *body,
		struct buf *answer, long *status, struct err *e)
{
	char hash[65] = EMPTY_SHA256;
	struct request r = { .method = method,
			     .path = path,
			     .service = "lambda",
			     .payload_hash = hash,
			     .port = (long)c->conf.api_port,
			     .body = body };

	if (body)
		sha256_hex(body, strlen(body), hash);
	return client_perform(c, &r, answer, status, e);
}

json_t *client_json(struct client *c, const char *method, const char *path, const json_t *in,
		    struct err *e)
{
	autofree char *body = in ? json_dumps(in, JSON_COMPACT) : NULL;
	autobuf struct buf answer = { 0 };
	json_t *out;
	long status;

	if (client_call(c, method, path, body, &answer, &status, e))
		return NULL;
	out = answer.size ? json_loadb((const char *)answer.data, answer.size, 0, NULL)
			  : json_object();
	if (!out)
		err_set(e, ERR_INTERNAL, "%s %s: the answer is not JSON", method, path);
	return out;
}

json_t *client_list(struct client *c, const char *path, struct err *e)
{
	json_t *all = json_array();
	autofree char *next = NULL;

	do {
		autofree char *token = next ? client_escape(next) : NULL;
		autofree char *page_path =
			xasprintf("%s?maxResults=50%s%s", path, token ? "&nextToken=" : "",
				  token ? token : "");
		json_t *page = client_json(c, "GET", page_path, NULL, e);

		if (!page) {
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(page, "items"));
		free(next);
		next = json_is_string(json_object_get(page, "nextToken"))
			       ? xstrdup(json_string_value(json_object_get(page, "nextToken")))
			       : NULL;
		json_decref(page);
	} while (next);
	return all;
}

static int client_send_file(struct client *c, struct request *r, int fd, struct buf *answer,
			    long *status, struct err *e)
{
	struct stat st;
	int copy = dup(fd), rc;

	if (copy < 0 || fstat(fd, &st) || lseek(copy, 0, SEEK_SET) < 0 ||
	    !(r->file = fdopen(copy, "r"))) {
		fd_close(&copy);
		return err_sys(e, "read the file to send");
	}
	r->file_size = st.st_size;
	rc = client_perform(c, r, answer, status, e);
	fclose(r->file);
	return rc;
}

int client_put_object(struct client *c, const char *bucket, const char *key, int fd, struct err *e)
{
	autofree char *bucket_path = xasprintf("/%s", bucket);
	autofree char *escaped = client_escape(key);
	autofree char *path = xasprintf("/%s/%s", bucket, escaped);
	struct request make = { .method = "PUT",
				.path = bucket_path,
				.service = "s3",
				.payload_hash = EMPTY_SHA256,
				.port = (long)c->conf.s3_port };
	struct request put = make;
	autobuf struct buf answer = { 0 };
	long status;

	if (client_perform(c, &make, &answer, &status, e) && status != 409)
		return -1; /* 409: the bucket exists already */
	buf_clear(&answer);
	put.path = path;
	put.payload_hash = "UNSIGNED-PAYLOAD"; /* TLS to this host protects it */
	return client_send_file(c, &put, fd, &answer, &status, e);
}

int client_post_file(struct client *c, const char *path, int fd, struct buf *answer, struct err *e)
{
	struct request post = { .method = "POST",
				.path = path,
				.service = "lambda",
				.payload_hash = "UNSIGNED-PAYLOAD",
				.port = (long)c->conf.api_port };
	long status;

	return client_send_file(c, &post, fd, answer, &status, e);
}

char *client_escape(const char *text)
{
	autobuf struct buf b = { 0 };

	percent_encode(&b, text, "");
	return xstrdup(buf_str(&b));
}

const char *client_endpoint_host(const struct client *c)
{
	static const char tail[] = "localhost";
	size_t n = strlen(c->conf.domain), size = sizeof(tail) - 1;

	return *c->profile && n >= size && !strcmp(c->conf.domain + n - size, tail) ? c->host
										    : NULL;
}
