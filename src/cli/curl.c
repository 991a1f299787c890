/* curl.c - `doze curl`: curl(1) with a fresh token for one microVM.
 *
 * The token goes to curl through a memfd (--config /dev/fd/N), never through
 * its arguments, which every user of the host can read. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/refusal.h"

#define MICROVMS  "/2025-09-09/microvms"
#define HEADS_MAX (1 * MIB)

/* The port that an image EXPOSEs, if it is the only one; 8080 otherwise. */
static long curl_default_port(struct client *c, const char *arn)
{
	autofree char *escaped = client_escape(arn);
	autofree char *path = xasprintf("/doze/v1/images/%s/ports", escaped);
	struct err e;
	json_t *answer = client_json(c, "GET", path, NULL, &e);
	json_t *ports = json_object_get(answer, "ports");
	long port = json_array_size(ports) == 1 ? (long)json_integer_value(json_array_get(ports, 0))
						: 8080;

	json_decref(answer);
	return port;
}

static const char token_letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/";

char *curl_token(struct client *c, const char *id, long port, struct err *e)
{
	autofree char *path = xasprintf(MICROVMS "/%s/auth-token", id);
	json_t *in = json_pack("{sI s[{sI}]}", "expirationInMinutes", (json_int_t)60,
			       "allowedPorts", "port", (json_int_t)port);
	json_t *answer = client_json(c, "POST", path, in, e);
	const char *token = json_text(json_object_get(answer, "authToken"), "X-aws-proxy-auth");
	char *copy = NULL;

	/* It goes into a file of curl's and into heads, whichever server it came from. */
	if (answer && (!*token || token[strspn(token, token_letters)]))
		err_set(e, ERR_INTERNAL, "the server's answer has no proper token");
	else if (answer)
		copy = xstrdup(token);
	json_decref(in);
	json_decref(answer);
	return copy;
}

static int curl_config(struct client *c, const char *token, long port, struct err *e)
{
	const char *host = client_endpoint_host(c);
	int fd = memfd_create("curl", 0); /* curl inherits it */
	autobuf struct buf text = { 0 };

	buf_addf(&text,
		 "header = \"X-aws-proxy-auth: %s\"\nheader = \"X-aws-proxy-port: %ld\"\ncacert = "
		 "\"%s\"\n",
		 token, port, c->ca_file);
	if (host)
		buf_addf(&text, "connect-to = \"::%s:\"\n", host);
	if (fd < 0 || io_write_full(fd, text.data, text.size) || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "hand the token to curl");
	return fd;
}

/* Runs curl, and gives its status and the heads of the answers that it got. */
static int curl_run(struct client *c, const char *url, const char *token, long port,
		    struct words more, struct buf *heads)
{
	const char **argv = xcalloc(more.n + 8, sizeof(*argv));
	autoclose int head = memfd_create("heads", 0);
	struct err e;
	autoclose int fd = curl_config(c, token, port, &e);
	autofree char *config = xasprintf("/dev/fd/%d", fd);
	autofree char *dump = xasprintf("/dev/fd/%d", head);
	size_t n = 0;
	int rc;

	if (fd < 0) {
		free(argv);
		return say(&e);
	}
	argv[n++] = "curl";
	argv[n++] = "--config";
	argv[n++] = config;
	argv[n++] = "-sS";
	if (head >= 0) {
		argv[n++] = "--dump-header";
		argv[n++] = dump;
	}
	argv[n++] = url;
	for (size_t i = 0; i < more.n; i++)
		argv[n++] = more.at[i];
	rc = child_run("curl", argv);
	free(argv);
	if (rc == CHILD_NOT_STARTED)
		return say_text(
			"curl is not installed: install it with 'sudo apt-get install curl'");
	if (head >= 0 && !lseek(head, 0, SEEK_SET))
		(void)!io_read_all(head, heads, HEADS_MAX);
	return rc;
}

/* Says why there is no answer of the application, if there is none. */
static int curl_explain(struct client *c, const char *id, long port, struct buf *heads)
{
	int status = refusal_status(buf_str(heads));
	autofree char *path = xasprintf(MICROVMS "/%s", id);
	autofree char *why = NULL;
	json_t *vm;
	struct err e;

	if (!status)
		return 0;
	vm = client_json(c, "GET", path, NULL, &e);
	why = vm ? refusal_text(&c->conf, vm, port, status) : xstrdup(e.text);
	json_decref(vm);
	return say_text("the endpoint of %s answered %d: %s", id, status, why);
}

int cmd_curl(struct client *c, const struct typed *t)
{
	const char *port_text = typed_option(t, "--port");
	struct words w = t->words;
	autofree char *id = NULL;
	autofree char *token = NULL;
	autofree char *url = NULL;
	autobuf struct buf heads = { 0 };
	json_t *vm;
	struct err e;
	long port = 0;
	int rc, explained;

	if (w.at[1][0] != '/')
		return say_text("the path '%s' must start with a slash", w.at[1]);
	if (port_text && words_number("--port", port_text, 1, 65535, &port))
		return 1;
	id = name_microvm(c, w.at[0], &e);
	if (!id)
		return say(&e);
	autofree char *path = xasprintf(MICROVMS "/%s", id);
	vm = client_json(c, "GET", path, NULL, &e);
	if (!vm)
		return say(&e);
	if (!port)
		port = curl_default_port(c, json_text(vm, "imageArn"));
	url = xasprintf("https://%s%s", json_text(vm, "endpoint"), w.at[1]);
	json_decref(vm);
	token = curl_token(c, id, port, &e);
	if (!token)
		return say(&e);
	rc = curl_run(c, url, token, port, (struct words){ w.at + 2, w.n - 2 }, &heads);
	explained = curl_explain(c, id, port, &heads);
	return rc ? rc : explained;
}
