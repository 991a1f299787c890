/* The distribution API, as far as it takes to learn what a name means. */

#include "image/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "image/step_http.h"
#include "wire/s3.h"

#define REGISTRY_PROBE_MS 8000L
#define REGISTRY_ASK_MS   60000L
#define REGISTRY_STALL_S  20L
#define REGISTRY_TRIES    3
#define REGISTRY_PATIENCE 20 /* seconds that it may want us to wait */
#define REGISTRY_BODY     (4 * MIB)

/* A registry that has answered. */
struct registry {
	const struct step *s;
	const struct registry_place *place;
	const char *scheme;
	char *host, *path; /* of the location; the path is "" or ends with '/' */
	struct buf auth;   /* "Authorization: ..." or empty */
};

struct registry_reply {
	long status; /* 0: none came */
	struct buf body;
	char challenge[1024];
	long retry_s; /* -1: it does not say */
	bool is_registry;
};

static void registry_reply_free(struct registry_reply *r)
{
	buf_free(&r->body);
}

#define autoreply __attribute__((cleanup(registry_reply_free)))

static void registry_close(struct registry *g)
{
	free(g->host);
	free(g->path);
	buf_free(&g->auth);
}

static const char *registry_header(CURL *c, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(c, name, 0, CURLH_HEADER, -1, &h) ? "" : h->value;
}

static void registry_headers(CURL *c, struct registry_reply *r)
{
	const char *after = registry_header(c, "Retry-After");
	char *end;

	snprintf(r->challenge, sizeof(r->challenge), "%s", registry_header(c, "WWW-Authenticate"));
	r->is_registry = *registry_header(c, "Docker-Distribution-Api-Version");
	r->retry_s = strtol(after, &end, 10);
	if (end == after || *end || r->retry_s < 0)
		r->retry_s = -1;
}

/* One request.  @auth is a header or NULL. */
static void registry_request(const struct registry *g, const char *url, const char *auth,
			     long limit_ms, struct registry_reply *r)
{
	struct step_body to = { &r->body, REGISTRY_BODY };
	struct curl_slist *headers =
		curl_slist_append(NULL, "Accept: " MANIFEST_ACCEPT ", application/json, */*;q=0.5");
	CURL *c = step_curl(g->s, url);

	buf_clear(&r->body);
	r->status = 0;
	if (auth && *auth)
		headers = curl_slist_append(headers, auth);
	if (c) {
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, limit_ms);
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, REGISTRY_STALL_S);
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, step_take);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, &to);
		if (g->place->plain)
			curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
		if (curl_easy_perform(c) == CURLE_OK)
			curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r->status);
		registry_headers(c, r);
		curl_easy_cleanup(c);
	}
	curl_slist_free_all(headers);
}

/* Asks again where that may help: a registry that limits its clients says when. */
static void registry_ask(const struct registry *g, const char *url, const char *auth,
			 struct registry_reply *r)
{
	for (int i = 1;; i++) {
		long wait_s;

		registry_request(g, url, auth, REGISTRY_ASK_MS, r);
		wait_s = r->retry_s < 0 ? i : r->retry_s;
		if ((r->status != 429 && r->status < 500) || i == REGISTRY_TRIES ||
		    wait_s > REGISTRY_PATIENCE)
			return;
		printf("doze: the registry '%s' answers with status %ld; asking again in %ld s\n",
		       g->place->shown, r->status, wait_s);
		sleep((unsigned)wait_s);
	}
}

static enum registry_answer registry_fail(const struct registry *g, struct err *e, const char *what)
{
	err_set(e, ERR_INVALID, "the registry '%s' %s", g->place->shown, what);
	return REGISTRY_FAILS;
}

/* The sentence for a status that is no success. */
static enum registry_answer registry_judge(const struct registry *g, const struct reference *r,
					   const struct registry_reply *reply, struct err *e)
{
	const struct registry_place *p = g->place;
	const char *part = *r->digest ? "digest" : "tag", *value = *r->digest ? r->digest : r->tag;
	char code[32];

	manifest_error(&reply->body, code, sizeof(code));
	if (!reply->status)
		return registry_fail(g, e, "stopped answering");
	if (reply->status == 404 && !strcmp(code, "NAME_UNKNOWN"))
		err_set(e, ERR_INVALID, "the registry '%s' has no image '%s'", p->shown, r->path);
	else if (reply->status == 404)
		err_set(e, ERR_INVALID, "the registry '%s' has no image '%s' with the %s '%s'",
			p->shown, r->path, part, value);
	else if (reply->status == 401 && !p->user)
		err_set(e, ERR_INVALID,
			"the registry '%s' has no image '%s' for everyone: either it wants a login "
			"([registry %s] user, password_file) or the name is wrong",
			p->shown, r->path, r->registry);
	else if (reply->status == 401 || reply->status == 403)
		err_set(e, ERR_INVALID, "the registry '%s' does not let %s%s%s read '%s'", p->shown,
			p->user ? "the user '" : "everyone", p->user ? p->user : "",
			p->user ? "'" : "", r->path);
	else if (reply->status == 429 && reply->retry_s >= 0)
		err_set(e, ERR_INVALID,
			"the registry '%s' limits how often it is asked, and wants to be asked "
			"again in %ld s",
			p->shown, reply->retry_s);
	else if (reply->status == 429)
		err_set(e, ERR_INVALID, "the registry '%s' limits how often it is asked", p->shown);
	else
		err_set(e, ERR_INVALID, "the registry '%s' answers with status %ld", p->shown,
			reply->status);
	return reply->status == 404 ? REGISTRY_LACKS : REGISTRY_FAILS;
}

char *registry_credentials(const struct registry_place *place)
{
	autofree char *pair =
		xasprintf("%s:%s", place->user, place->password ? place->password : "");
	size_t n = strlen(pair);
	char *text = xmalloc(4 * ((n + 2) / 3) + 1);

	s3_base64((const uint8_t *)pair, n, text);
	explicit_bzero(pair, n);
	return text;
}

static void registry_basic(const struct registry *g, struct buf *to)
{
	autofree char *credentials = registry_credentials(g->place);

	buf_clear(to);
	buf_addf(to, "Authorization: Basic %s", credentials);
	explicit_bzero(credentials, strlen(credentials));
}

/* Where a registry has no TLS by configuration, its login service may lack it too. */
static bool registry_may_send(const struct registry *g, const char *realm)
{
	return !strncmp(realm, "https://", 8) || (g->place->plain && !strncmp(realm, "http://", 7));
}

static enum registry_answer registry_token(struct registry *g, const struct reference *r,
					   const struct manifest_challenge *c, struct err *e)
{
	autobuf struct buf url = { 0 }, basic = { .secret = true };
	autoreply struct registry_reply reply = { .body.secret = true };
	const char *token;
	json_t *doc;

	if (!registry_may_send(g, c->realm))
		return registry_fail(g, e, "wants a login at an address without TLS");
	buf_addf(&url, "%s%sservice=", c->realm, strchr(c->realm, '?') ? "&" : "?");
	percent_encode(&url, c->service, "");
	buf_addf(&url, "&scope=repository%%3A");
	percent_encode(&url, g->path, "/");
	percent_encode(&url, r->path, "/");
	buf_adds(&url, "%3Apull");
	if (g->place->user)
		registry_basic(g, &basic);
	registry_ask(g, buf_str(&url), buf_str(&basic), &reply);
	if (reply.status == 401 && g->place->user) {
		err_set(e, ERR_INVALID,
			"the registry '%s' does not take the user '%s' with the configured "
			"password",
			g->place->shown, g->place->user);
		return REGISTRY_FAILS;
	}
	if (reply.status != 200)
		return registry_judge(g, r, &reply, e);
	doc = json_loadb((const char *)reply.body.data, reply.body.size, 0, NULL);
	token = json_string_value(json_object_get(doc, "token"));
	if (!token)
		token = json_string_value(json_object_get(doc, "access_token"));
	buf_clear(&g->auth);
	if (token)
		buf_addf(&g->auth, "Authorization: Bearer %s", token);
	json_decref(doc);
	return token ? REGISTRY_HAS : registry_fail(g, e, "gives no token to read with");
}

static enum registry_answer registry_log_in(struct registry *g, const struct reference *r,
					    const char *challenge, struct err *e)
{
	struct manifest_challenge c;

	manifest_read_challenge(&c, challenge);
	if (c.bearer)
		return registry_token(g, r, &c, e);
	if (c.basic && g->place->user &&
	    registry_may_send(g, !strcmp(g->scheme, "https") ? "https://" : "http://"))
		registry_basic(g, &g->auth);
	return REGISTRY_HAS;
}

/* A server that answers /v2/ with anything but 200 and 401 is no registry, unless it says that it
 * is one. */
static bool registry_probe(struct registry *g, const char *scheme, struct registry_reply *r)
{
	autofree char *url = xasprintf("%s://%s/v2/", scheme, g->host);

	g->scheme = scheme;
	registry_request(g, url, NULL, REGISTRY_PROBE_MS, r);
	return r->status == 200 || r->status == 401 || (r->status && r->is_registry);
}

/* Fetches what @kind ("manifests", "blobs") has below @name. */
static void registry_get(const struct registry *g, const struct reference *r, const char *kind,
			 const char *name, struct registry_reply *reply)
{
	autofree char *url = xasprintf("%s://%s/v2/%s%s/%s/%s", g->scheme, g->host, g->path,
				       r->path, kind, name);

	registry_ask(g, url, buf_str((struct buf *)(uintptr_t)&g->auth), reply);
}

static enum registry_answer registry_manifest(const struct registry *g, const struct reference *r,
					      const char *name, struct manifest *m,
					      char digest[MANIFEST_DIGEST], struct err *e)
{
	autoreply struct registry_reply reply = { 0 };
	struct err why;

	registry_get(g, r, "manifests", name, &reply);
	if (reply.status != 200)
		return registry_judge(g, r, &reply, e);
	manifest_digest(&reply.body, digest);
	if (!strncmp(name, "sha256:", 7) && strcmp(name, digest) != 0)
		return registry_fail(g, e, "sends another image than the one with this digest");
	if (manifest_read(m, &reply.body, g->s->arch, &why))
		return registry_fail(g, e, why.text);
	return REGISTRY_HAS;
}

static enum registry_answer registry_other(const struct registry *g, const struct reference *r,
					   const char *platforms, struct err *e)
{
	err_set(e, ERR_INVALID, "the registry '%s' has '%s:%s' for %s, but not for linux/%s",
		g->place->shown, r->path, *r->tag ? r->tag : r->digest,
		*platforms ? platforms : "no known platform", g->s->arch);
	return REGISTRY_OTHER;
}

/* An image that is in no list names its platform in its configuration alone. */
static enum registry_answer registry_check_config(const struct registry *g,
						  const struct reference *r,
						  const struct manifest *m, struct err *e)
{
	autoreply struct registry_reply reply = { 0 };
	char platform[80], digest[MANIFEST_DIGEST], wanted[80];

	registry_get(g, r, "blobs", m->config, &reply);
	if (reply.status != 200)
		return registry_fail(g, e, "does not send the image's configuration");
	manifest_digest(&reply.body, digest);
	if (strcmp(digest, m->config) != 0)
		return registry_fail(g, e,
				     "sends a configuration that is not what its digest says");
	manifest_platform(&reply.body, platform, sizeof(platform));
	snprintf(wanted, sizeof(wanted), "linux/%s", g->s->arch);
	return !*platform || !strcmp(platform, wanted) ? REGISTRY_HAS
						       : registry_other(g, r, platform, e);
}

/* Each image that the builder might take from a list has been looked at before it does. */
static enum registry_answer registry_image(const struct registry *g, const struct reference *r,
					   const char *name, char digest[MANIFEST_DIGEST],
					   struct err *e)
{
	struct manifest image;
	enum registry_answer answer = registry_manifest(g, r, name, &image, digest, e);

	if (answer != REGISTRY_HAS || image.kind == MANIFEST_IMAGE)
		return answer;
	return registry_fail(g, e, "sends a list in the place of an image");
}

static enum registry_answer registry_find(const struct registry *g, const struct reference *r,
					  struct registry_found *found, struct err *e)
{
	enum registry_answer answer;
	struct manifest m = { 0 };
	char other[MANIFEST_DIGEST];

	answer = registry_manifest(g, r, *r->digest ? r->digest : r->tag, &m, found->digest, e);
	if (answer != REGISTRY_HAS)
		return answer;
	if (m.kind == MANIFEST_OTHER)
		return registry_other(g, r, m.platforms, e);
	if (m.kind == MANIFEST_FOUND) {
		answer = registry_image(g, r, m.image, found->image, e);
		for (size_t i = 0; answer == REGISTRY_HAS && i < m.n_others; i++)
			answer = registry_image(g, r, m.others[i], other, e);
		return answer;
	}
	memcpy(found->image, found->digest, sizeof(found->image));
	return registry_check_config(g, r, &m, e);
}

static void registry_open(struct registry *g)
{
	const char *location = g->place->location, *slash = strchr(location, '/');
	size_t n = slash ? (size_t)(slash - location) : strlen(location);

	g->host = n == 9 && !memcmp(location, "docker.io", n) ? xstrdup("registry-1.docker.io")
							      : xasprintf("%.*s", (int)n, location);
	g->path = slash && slash[1] ? xasprintf("%s/", slash + 1) : xstrdup("");
}

enum registry_answer registry_look(const struct step *s, const struct registry_place *place,
				   const struct reference *r, struct registry_found *found,
				   struct err *e)
{
	struct registry g = { .s = s, .place = place, .auth.secret = true };
	autoreply struct registry_reply reply = { 0 };
	enum registry_answer answer = REGISTRY_HAS;

	registry_open(&g);
	if (!(place->plain && registry_probe(&g, "http", &reply)) &&
	    !registry_probe(&g, "https", &reply)) {
		err_set(e, ERR_NOT_FOUND, "the registry '%s' does not answer", place->shown);
		answer = REGISTRY_SILENT;
	} else if (reply.status == 401) {
		answer = registry_log_in(&g, r, reply.challenge, e);
	}
	if (answer == REGISTRY_HAS)
		answer = registry_find(&g, r, found, e);
	registry_close(&g);
	return answer;
}
