/* dockerfile_fetch.c - what ADD takes from the network: URLs, and repositories of git. */

#include <stdlib.h>
#include <string.h>

#include "wire/dockerfile_copy.h"
#include "wire/sigv4.h"

bool dockerfile_is_url(const char *source)
{
	return !strncmp(source, "http://", 7) || !strncmp(source, "https://", 8);
}

/* A repository is told by its scheme, by the ".git" at the end of its path, or by "user@host:". */
bool dockerfile_is_git(const char *source)
{
	size_t n = strcspn(source, "#?");

	if (!strncmp(source, "git://", 6) || !strncmp(source, "ssh://", 6) ||
	    !strncmp(source, "git@", 4) || !strncmp(source, "github.com/", 11))
		return true;
	return dockerfile_is_url(source) && n > 4 && !strncmp(source + n - 4, ".git", 4);
}

static void dockerfile_fetch_add(struct dockerfile_lowered *out, struct dockerfile_fetch *f)
{
	autofree char *all = xasprintf("%s\n%s\n%s\n%s\n%d%d%d", f->url, f->ref ? f->ref : "",
				       f->subdir ? f->subdir : "", f->checksum ? f->checksum : "",
				       f->git, f->keep_git_dir, f->unpack);

	sha256_hex(all, strlen(all), f->dir);
	out->fetches = xrealloc(out->fetches, (out->n_fetches + 1) * sizeof(*out->fetches));
	out->fetches[out->n_fetches++] = *f;
}

/* "URL#ref:subdirectory" */
static int dockerfile_fetch_git(struct dockerfile_copy *c, const char *source,
				struct dockerfile_fetch *f, struct buf *to)
{
	const char *hash = strchr(source, '#'), *colon = hash ? strchr(hash, ':') : NULL;
	autobuf struct buf sub = { 0 };

	if (strchr(source, '?'))
		return dockerfile_refuse(c->job,
					 "ADD of git takes URL#ref:directory; parameters behind a "
					 "? are not understood");
	if (!dockerfile_is_url(source) && strncmp(source, "git://", 6) != 0 &&
	    strncmp(source, "github.com/", 11) != 0)
		return dockerfile_refuse(c->job,
					 "ADD of git by SSH: builds have no SSH agent here; "
					 "use an https:// URL");
	f->git = true;
	f->keep_git_dir = c->keep_git_dir;
	f->url = xasprintf("%s%.*s", strncmp(source, "github.com/", 11) != 0 ? "" : "https://",
			   (int)(hash ? (size_t)(hash - source) : strlen(source)), source);
	if (hash)
		f->ref = xasprintf("%.*s",
				   (int)(colon ? (size_t)(colon - hash) - 1 : strlen(hash + 1)),
				   hash + 1);
	if (colon) {
		dockerfile_path(NULL, colon + 1, false, &sub);
		f->subdir = xstrdup(buf_str(&sub));
	}
	dockerfile_fetch_add(c->job->out, f);
	buf_addf(to, "%s/tree/.", f->dir);
	return 0;
}

/* The file is named as the last part of the URL's path, which a '/' at its end makes empty. */
static void dockerfile_fetch_name(const char *url, struct buf *to)
{
	const char *path = strstr(url, "://") + 3;
	size_t begin, end;

	path += strcspn(path, "/?#");
	end = strcspn(path, "?#");
	while (end && path[end - 1] == '/')
		end--;
	begin = end;
	while (begin && path[begin - 1] != '/')
		begin--;
	buf_add(to, path + begin, end - begin);
	if (!to->size || !strcmp(buf_str(to), ".") || !strcmp(buf_str(to), ".."))
		buf_clear(to);
	if (!to->size)
		buf_adds(to, "__unnamed__");
}

int dockerfile_fetch(struct dockerfile_copy *c, const char *source, struct buf *to)
{
	struct dockerfile_fetch f = { .line = c->job->inst->line };
	autobuf struct buf name = { 0 };

	if (c->job->out->n_fetches >= DOCKERFILE_MAX)
		return dockerfile_refuse(c->job, "too many sources to fetch");
	f.checksum = c->checksum ? xstrdup(c->checksum) : NULL;
	if (dockerfile_is_git(source)) {
		int rc = dockerfile_fetch_git(c, source, &f, to);

		if (rc)
			free(f.checksum);
		return rc;
	}
	if (f.checksum && (strncmp(f.checksum, "sha256:", 7) != 0 || strlen(f.checksum) != 71)) {
		free(f.checksum);
		return dockerfile_refuse(c->job, "--checksum is sha256: and 64 digits");
	}
	dockerfile_fetch_name(source, &name);
	f.url = xstrdup(source);
	f.name = xstrdup(buf_str(&name));
	f.unpack = c->unpack_set && c->unpack;
	dockerfile_fetch_add(c->job->out, &f);
	buf_addf(to, "%s/%s", f.dir, f.unpack ? "tree/." : f.name);
	return 0;
}
