/* login.c - `doze login` and the profiles that it makes; `doze ca`. */

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/ask.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/profile.h"
#include "cli/server_cert.h"

#define CA_FOLDER "/usr/local/share/ca-certificates"

static bool login_part(CURLU *url, CURLUPart part, char *to, size_t size)
{
	char *text = NULL;
	bool ok = !curl_url_get(url, part, &text, 0) && strlen(text) < size;

	if (ok)
		snprintf(to, size, "%s", text);
	curl_free(text);
	return ok;
}

static int login_url(struct client *server, const char *given, struct err *e)
{
	CURLU *url = curl_url();
	char scheme[16], path[1024], port[8];
	bool ok = url && !curl_url_set(url, CURLUPART_URL, given, 0) &&
		  login_part(url, CURLUPART_SCHEME, scheme, sizeof(scheme)) &&
		  !strcmp(scheme, "https") &&
		  login_part(url, CURLUPART_HOST, server->host, sizeof(server->host)) &&
		  login_part(url, CURLUPART_PATH, path, sizeof(path)) && !strcmp(path, "/");

	if (ok && login_part(url, CURLUPART_PORT, port, sizeof(port)))
		server->conf.api_port = strtol(port, NULL, 10);
	curl_url_cleanup(url);
	return ok ? 0
		  : err_set(e, ERR_INVALID, "'%s' is no server: give https://NAME:%d", given,
			    (int)server->conf.api_port);
}

/* The person compares the CA with what the server itself says. */
static int login_confirm(const struct server_cert *s, const char *given, struct err *e)
{
	enum answer answer;

	if (s->trusted)
		return 0;
	if (given)
		return fingerprint_is(given, s->fingerprint)
			       ? 0
			       : err_set(e, ERR_DENIED,
					 "the server's CA is another one: its fingerprint is %s",
					 s->fingerprint);
	fprintf(stderr,
		"This machine does not know the CA of the server.  Its fingerprint is\n  %s\n"
		"'doze ca fingerprint' on the server prints the right one.\n",
		s->fingerprint);
	answer = ask("Is it the same?");
	if (answer == ANSWER_YES)
		return 0;
	return err_set(e, ERR_DENIED,
		       answer == ANSWER_NOBODY
			       ? "nobody is there to compare fingerprints: give --fingerprint with "
				 "what 'doze ca fingerprint' prints on the server"
			       : "nothing was stored");
}

static int login_key(struct client *server, const char *file, struct err *e)
{
	if (file)
		return client_read_key(server, strcmp(file, "-") != 0 ? file : "/dev/stdin", e);
	if (!ask_text("Access key id: ", server->access_key, sizeof(server->access_key)) ||
	    !ask_secret("Secret access key: ", server->secret, sizeof(server->secret)))
		return err_set(e, ERR_DENIED,
			       "there is no key: give --key with a file in the form of "
			       "~/.aws/credentials, or - for standard input");
	return 0;
}

static void login_put_text(const json_t *answer, const char *member, char *to, size_t size)
{
	snprintf(to, size, "%s", json_text(answer, member));
}

/* Asks the server for what the profile must hold, which shows that the key is right. */
static json_t *login_ask_server(struct client *server, struct err *e)
{
	json_t *answer = client_json(server, "GET", "/doze/v1/env", NULL, e);
	int64_t s3_port = json_integer_value(json_object_get(answer, "s3Port"));

	if (!answer)
		return NULL;
	login_put_text(answer, "region", server->conf.region, sizeof(server->conf.region));
	login_put_text(answer, "account", server->conf.account, sizeof(server->conf.account));
	login_put_text(answer, "domain", server->conf.domain, sizeof(server->conf.domain));
	server->conf.s3_port = s3_port;
	return answer;
}

/* What the server's certificates must come from: doze's own CA, and where the system vouched for
 * the API, the system's certificates too. */
static int login_trust(struct client *server, const struct server_cert *cert, struct buf *ca,
		       struct err *e)
{
	int fd = memfd_create("ca", MFD_CLOEXEC); /* lasts as long as the program */

	if (!cert->trusted)
		buf_adds(ca, cert->ca);
	else if (system_certificates_add(ca, e))
		return -1;
	buf_adds(ca, "\n");
	if (fd < 0 || io_write_full(fd, ca->data, ca->size))
		return err_sys(e, "keep the server's CA");
	snprintf(server->ca_file, sizeof(server->ca_file), "/proc/self/fd/%d", fd);
	return 0;
}

/* An older profile of that name stays until the new one has worked. */
static int login_store(struct client *server, const struct server_cert *cert, const char *name,
		       struct err *e)
{
	autobuf struct buf ca = { 0 };
	autobuf struct buf all = { 0 };
	json_t *answer;

	if (login_trust(server, cert, &ca, e))
		return -1;
	answer = login_ask_server(server, e);
	if (!answer)
		return -1;
	/* doze's own comes first: that is the one which the commands of "ca" are about. */
	buf_adds(&all, json_text(answer, "ca"));
	if (!strstr(buf_str(&all), buf_str(&ca)))
		buf_addf(&all, "\n%s", buf_str(&ca));
	json_decref(answer);
	return profile_write(server, name, buf_str(&all), e);
}

static int login(struct client *server, const struct typed *t, const char *name, struct err *e)
{
	const char *region = typed_option(t, "--region");
	struct server_cert cert = { 0 };
	int rc;

	conf_defaults(&server->conf, "");
	if (!profile_name_valid(name))
		return err_set(e, ERR_INVALID,
			       "'%s' cannot be the name of a profile: give up to 32 of a-z, 0-9, "
			       "'-' and '_'",
			       name);
	if (region)
		snprintf(server->conf.region, sizeof(server->conf.region), "%s", region);
	if (login_url(server, t->words.at[0], e) || client_attach(server, e))
		return -1;
	autofree char *url = xasprintf("https://%s:%d", server->host, (int)server->conf.api_port);
	rc = server_cert_look(&cert, url, e) ||
	     login_confirm(&cert, typed_option(t, "--fingerprint"), e) ||
	     login_key(server, typed_option(t, "--key"), e) || login_store(server, &cert, name, e);
	server_cert_free(&cert);
	return rc ? -1 : 0;
}

int cmd_login(struct client *c, const struct typed *t)
{
	const char *given = typed_option(t, "--profile"), *name = given ? given : PROFILE_DEFAULT;
	struct client *server = xcalloc(1, sizeof(*server));
	struct err e;
	int rc;

	(void)c;
	server->timeout_ms = 30000;
	snprintf(server->profile, sizeof(server->profile), "%.39s", name);
	rc = login(server, t, name, &e) ? say(&e) : 0;
	if (!rc)
		printf("doze --profile %s now reaches https://%s:%d, account %s\n", name,
		       server->host, (int)server->conf.api_port, server->conf.account);
	client_close(server);
	explicit_bzero(server, sizeof(*server));
	free(server);
	return rc;
}

int cmd_profile_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "PROFILE", "name", NULL },
		{ "SERVER", "host", NULL },
		{ "REGION", "region", NULL },
		{ "ACCOUNT", "account", NULL },
	};
	struct err none;
	json_t *list = profile_list(&none);

	(void)t;
	list_print(c, list, columns, ARRAY_SIZE(columns));
	json_decref(list);
	return 0;
}

int cmd_profile_rm(struct client *c, const struct typed *t)
{
	int rc = 0;
	struct err e;

	(void)c;
	for (size_t i = 0; i < t->words.n; i++)
		if (profile_remove(t->words.at[i], &e))
			rc = say(&e);
	return rc;
}

static int ca_read(const struct client *c, struct buf *pem, struct err *e)
{
	autofree char *path = xasprintf("%s/ca.crt", c->conf.data_dir);
	static const char end[] = "-----END CERTIFICATE-----\n";
	const char *from = *c->profile ? c->ca_file : path, *last;
	autoclose int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open '%s'", from);
	if (io_read_all(fd, pem, 16 * MIB))
		return err_set(e, ERR_INVALID, "'%s' cannot be read", from);
	/* A profile's file has others behind it, which the server's certificate may come from. */
	last = strstr(buf_str(pem), end);
	if (last)
		pem->size = (size_t)(last + strlen(end) - buf_str(pem));
	return 0;
}

int cmd_ca_print(struct client *c, const struct typed *t)
{
	autobuf struct buf pem = { 0 };
	struct err e;

	(void)t;
	if (ca_read(c, &pem, &e))
		return say(&e);
	fputs(buf_str(&pem), stdout);
	return 0;
}

int cmd_ca_fingerprint(struct client *c, const struct typed *t)
{
	autobuf struct buf pem = { 0 };
	char fingerprint[FINGERPRINT_SIZE];
	struct err e;

	(void)t;
	if (ca_read(c, &pem, &e) || fingerprint_of(buf_str(&pem), pem.size, fingerprint, &e))
		return say(&e);
	puts(fingerprint);
	return 0;
}

int cmd_ca_install(struct client *c, const struct typed *t)
{
	static const char *const update[] = { "update-ca-certificates", NULL };
	const char *name = *c->profile ? c->profile : c->conf.instance;
	autofree char *file = xasprintf("doze%s%s.crt", *name ? "-" : "", name);
	autoclose int dir = open(CA_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autobuf struct buf pem = { 0 };
	struct err e;
	int rc;

	(void)t;
	if (ca_read(c, &pem, &e))
		return say(&e);
	if (dir < 0)
		return say_text("there is no folder " CA_FOLDER ": install the package "
				"ca-certificates");
	if (io_replace(dir, file, pem.data, pem.size, 0644, &e))
		return say(&e);
	rc = child_run("update-ca-certificates", (const char **)(uintptr_t)update);
	return rc == CHILD_NOT_STARTED ? say_text("update-ca-certificates is not installed: "
						  "install the package ca-certificates")
				       : rc;
}
