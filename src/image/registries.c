#include "image/registries.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/resolv.h"

#define REGISTRIES_PASSWORD (16 * KIB)

bool registries_know(const struct conf *conf, const char *host)
{
	autofree char *list = xstrdup(conf->insecure_registries);
	char *rest = list, *word;

	for (size_t i = 0; i < conf->n_registries; i++)
		if (!strcasecmp(conf->registries[i].host, host))
			return true;
	while ((word = strsep(&rest, ", ")))
		if (!strcasecmp(word, host))
			return true;
	return false;
}

/* The file may end with a line feed, which is no part of the password. */
static json_t *registries_password(const struct conf_registry *r)
{
	autobuf struct buf text = { .secret = true };
	autoclose int fd = -1;

	if (!*r->password_file)
		return json_string(r->password);
	fd = open(r->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || io_read_all(fd, &text, REGISTRIES_PASSWORD)) {
		log_warn("a registry's password file cannot be read registry=%s file=%s", r->host,
			 r->password_file);
		return NULL;
	}
	return json_string(strtok(buf_str(&text), "\r\n"));
}

static json_t *registries_row(const struct conf_registry *r, bool secrets)
{
	json_t *row = json_object(), *password = NULL;

	json_object_set_new(row, "mirror", json_string(r->mirror));
	if (secrets && *r->user)
		password = registries_password(r);
	if (password) {
		json_object_set_new(row, "user", json_string(r->user));
		json_object_set_new(row, "password", password);
	}
	return row;
}

/* Returns a memfd with the object of struct step, or -1. */
static int registries_file(const struct conf *conf, bool secrets)
{
	autoclose int fd = memfd_create("registries", MFD_CLOEXEC);
	json_t *all = json_object();
	char *text;

	for (size_t i = 0; i < conf->n_registries; i++)
		json_object_set_new(all, conf->registries[i].host,
				    registries_row(&conf->registries[i], secrets));
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	if (fd < 0 || !text || io_write_full(fd, text, strlen(text)) || lseek(fd, 0, SEEK_SET))
		fd_close(&fd);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return fd_steal(&fd);
}

void registries_resolver(struct job *j)
{
	const char *configured = j->role->conf->dns_upstream;
	char address[INET_ADDRSTRLEN];
	bool behind_stub;
	struct in_addr in = { htonl(resolv_read(configured, &behind_stub)) };

	if (*configured)
		job_option(j, "--dns", configured);
	else if (behind_stub)
		job_option(j, "--dns", inet_ntop(AF_INET, &in, address, sizeof(address)));
}

void registries_start(struct job *j, enum priv_net net)
{
	const struct conf *conf = j->role->conf;
	bool host = net == PRIV_NET_HOST;
	autoclose int fd = registries_file(conf, host);

	j->net = net;
	if (strcmp(conf->pull, "never") != 0)
		job_option(j, "--pull", conf->pull);
	job_option(j, "--network", host ? "host" : "slot");
	if (!host)
		registries_resolver(j);
	if (fd >= 0)
		job_arg(j, "--registries");
	job_start(j, fd);
}
