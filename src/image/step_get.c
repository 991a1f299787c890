/* step_get.c - fetches what ADD names in the network, before the builder starts.
 *
 * The step has the network of a RUN, so that a stranger's URL reaches what a RUN would reach. Each
 * thing has a folder of its own below fetched/. */

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "image/step_lower.h"

#define GET_MOST ((uint64_t)16 * GIB) /* of one file */
/* tar would take a name's end for what the file is packed with. */
#define GET_ARCHIVE "archive"
#define GET_LEFT    (2 * LIMIT_DISK_LEFT) /* of the disk, for others */

struct get_file {
	int fd;
	uint64_t size;
	EVP_MD_CTX *sum;
	bool full; /* the disk has no room for more */
};

/* What is fetched lies on the host's disk, on which microVMs need room. */
static bool get_has_room(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) || fs.f_bavail * fs.f_frsize >= GET_LEFT;
}

static size_t get_take(char *data, size_t one, size_t n, void *arg)
{
	struct get_file *f = arg;

	(void)one;
	f->size += n;
	f->full = f->full || !get_has_room(f->fd);
	if (f->full || f->size > GET_MOST || io_write_full(f->fd, data, n))
		return 0;
	EVP_DigestUpdate(f->sum, data, n);
	return n;
}

static int get_url(const struct step *s, const char *url, struct get_file *f, long *modified,
		   struct err *e)
{
	CURL *c = curl_easy_init();
	CURLcode rc = CURLE_FAILED_INIT;
	long status = 0;

	if (c) {
		curl_easy_setopt(c, CURLOPT_URL, url);
		curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
		curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
		curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
		curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 30000L);
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 100L);
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 60L);
		curl_easy_setopt(c, CURLOPT_USERAGENT, "doze/" DOZE_VERSION);
		curl_easy_setopt(c, CURLOPT_FILETIME, 1L);
		curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, get_take);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
		if (s->ca)
			curl_easy_setopt(c, CURLOPT_CAINFO, s->ca);
		rc = curl_easy_perform(c);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(c, CURLINFO_FILETIME, modified);
		curl_easy_cleanup(c);
	}
	if (status >= 400)
		return err_set(e, ERR_NOT_FOUND, "%s answered with status %ld", url, status);
	if (f->full)
		return err_set(e, ERR_CAPACITY, "%s: there is no room for it on the disk", url);
	return rc == CURLE_OK ? 0 : err_set(e, ERR_INVALID, "%s: %s", url, curl_easy_strerror(rc));
}

static int get_check(const struct dockerfile_fetch *f, EVP_MD_CTX *sum, struct err *e)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
	unsigned size = 0;

	EVP_DigestFinal_ex(sum, out, &size);
	for (unsigned i = 0; i < size; i++)
		sprintf(hex + 2 * (size_t)i, "%02x", out[i]);
	if (!f->checksum || !strcasecmp(f->checksum + 7, hex))
		return 0;
	return err_set(e, ERR_INVALID, "%s has the checksum sha256:%s, and %s was expected", f->url,
		       hex, f->checksum);
}

/* tar takes the whole of a file that holds no archive for an empty one, or says what it is not. */
static int get_is_archive(const char *tree, int rc, const char *said, bool *is, struct err *e)
{
	static const char *const own[] = { ".", ".." };
	DIR *list = opendir(tree);
	size_t n = 0;

	if (!list)
		return err_sys(e, "look at '%s'", tree);
	while (n <= ARRAY_SIZE(own) && readdir(list))
		n++;
	closedir(list);
	*is = n > ARRAY_SIZE(own) || (rc && !strstr(said, "does not look like a tar archive"));
	return 0;
}

static int get_no_room(const struct dockerfile_fetch *f, struct err *e)
{
	return err_set(e, ERR_CAPACITY, "%s: there is no room for it on the disk", f->url);
}

static int get_unpack_failed(const struct dockerfile_fetch *f, const char *said, struct err *e)
{
	if (strstr(said, "o space left on device"))
		return get_no_room(f, e);
	return err_set(e, ERR_INVALID, "%s: tar says: %.300s", f->url, said + strspn(said, "\n"));
}

/* An archive becomes the folder tree; anything else lies in it as it came. */
static int get_unpack(const struct dockerfile_fetch *f, struct err *e)
{
	autofree char *file = xasprintf("fetched/%s/" GET_ARCHIVE, f->dir);
	autofree char *tree = xasprintf("fetched/%s/tree", f->dir);
	autofree char *plain = xasprintf("%s/%s", tree, f->name);
	autobuf struct buf out = { 0 };
	struct step_argv a = { 0 };
	bool is_archive = false;
	int rc;

	if (mkdir(tree, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", tree);
	setenv("LC_ALL", "C", 1); /* what tar says is read */
	step_arg(&a, "tar");
	step_arg(&a, "--extract");
	step_arg(&a, "--numeric-owner");
	step_arg(&a, "--preserve-permissions");
	step_arg(&a, "--directory");
	step_arg(&a, tree);
	step_arg(&a, "--file");
	step_arg(&a, file);
	a.room = GET_LEFT;
	rc = step_run_all(&a, &out, e);
	if (rc == STEP_FULL)
		return get_no_room(f, e);
	if (rc < 0 || get_is_archive(tree, rc, buf_str(&out), &is_archive, e))
		return -1;
	if (is_archive)
		return rc ? get_unpack_failed(f, buf_str(&out), e) : 0;
	return link(file, plain) ? err_sys(e, "place '%s'", plain) : 0;
}

/* The file gets the mode and the time that BuildKit gives it. */
static int get_file(const struct step *s, int dir, const struct dockerfile_fetch *f, struct err *e)
{
	autofree char *path = xasprintf("%s/%s", f->dir, f->unpack ? GET_ARCHIVE : f->name);
	autoclose int fd = io_open_below(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct get_file to = { fd, 0, EVP_MD_CTX_new(), false };
	long modified = -1;
	int rc = -1;

	if (fd < 0 || !to.sum || !EVP_DigestInit_ex(to.sum, EVP_sha256(), NULL))
		err_set(e, ERR_INTERNAL, "make a file for %s", f->url);
	else if (!get_url(s, f->url, &to, &modified, e) && !get_check(f, to.sum, e))
		rc = 0;
	if (!rc) {
		struct timespec times[2] = { { .tv_sec = modified > 0 ? modified : 0 },
					     { .tv_sec = modified > 0 ? modified : 0 } };

		(void)futimens(fd, times);
	}
	EVP_MD_CTX_free(to.sum);
	return rc || !f->unpack ? rc : get_unpack(f, e);
}

/* No protocol but those of the network, no hook, no question. */
static int get_git_run(const char *where, const char *const *words, struct buf *out, struct err *e)
{
	static const char *const fixed[] = {
		"protocol.allow=never",       "protocol.https.allow=always",
		"protocol.http.allow=always", "protocol.git.allow=always",
		"core.hooksPath=/dev/null",   "core.symlinks=true",
		"advice.detachedHead=false",  "safe.directory=*"
	};
	struct step_argv a = { 0 };

	step_arg(&a, "git");
	step_arg(&a, "-C");
	step_arg(&a, where);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		step_arg(&a, "-c");
		step_arg(&a, fixed[i]);
	}
	for (; *words; words++)
		step_arg(&a, *words);
	buf_clear(out);
	a.room = GET_LEFT;
	return step_run_all(&a, out, e);
}

static int get_git_fail(const struct dockerfile_fetch *f, struct buf *out, int rc, struct err *e)
{
	if (rc < 0)
		return -1;
	if (rc == STEP_FULL)
		return get_no_room(f, e);
	if (rc == 127)
		return err_set(e, ERR_INVALID,
			       "ADD of a git repository needs git on the host: "
			       "apt install git");
	return err_set(e, ERR_INVALID, "%s: git says: %.400s", f->url, buf_str(out));
}

/* Whether another way may do what this one did not. */
static bool get_may_try(int rc)
{
	return rc > 0 && rc != 127 && rc != STEP_FULL;
}

static int get_git_commit(const struct dockerfile_fetch *f, const char *where, struct err *e)
{
	const char *ref = f->ref && *f->ref ? f->ref : "HEAD";
	const char *const shallow[] = { "fetch", "-q", "--depth=1", "--", f->url, ref, NULL };
	const char *const full[] = { "fetch", "-q", "--", f->url, ref, NULL };
	const char *const whole[] = { "fetch", "-q",   "--tags",
				      "--",    f->url, "+refs/heads/*:refs/remotes/origin/*",
				      NULL };
	const char *const found[] = { "checkout", "-q", "FETCH_HEAD", "--", NULL };
	const char *const named[] = { "checkout", "-q", ref, "--", NULL };
	const char *const modules[] = { "submodule",   "-q",        "update", "--init",
					"--recursive", "--depth=1", NULL };
	autobuf struct buf out = { 0 };
	bool is_commit = strspn(ref, "0123456789abcdef") == strlen(ref);
	int rc = get_git_run(where, shallow, &out, e);

	if (get_may_try(rc)) /* a server of files alone has no shallow history */
		rc = get_git_run(where, full, &out, e);
	if (!rc) {
		rc = get_git_run(where, found, &out, e);
	} else if (get_may_try(rc) && is_commit) {
		/* Some servers give a commit only with the branch that has it. */
		rc = get_git_run(where, whole, &out, e);
		if (!rc)
			rc = get_git_run(where, named, &out, e);
	}
	if (!rc)
		rc = get_git_run(where, modules, &out, e);
	return rc ? get_git_fail(f, &out, rc, e) : 0;
}

static int get_git_check(const struct dockerfile_fetch *f, const char *where, struct err *e)
{
	static const char *const words[] = { "rev-parse", "HEAD", NULL };
	autobuf struct buf out = { 0 };
	int rc = f->checksum ? get_git_run(where, words, &out, e) : 0;

	if (rc)
		return get_git_fail(f, &out, rc, e);
	if (f->checksum && (strlen(f->checksum) < 7 ||
			    strncmp(buf_str(&out), f->checksum, strlen(f->checksum)) != 0))
		return err_set(e, ERR_INVALID, "%s is at the commit %.40s, and %s was expected",
			       f->url, buf_str(&out), f->checksum);
	return 0;
}

static int get_git(const struct step *s, int dir, const struct dockerfile_fetch *f, struct err *e)
{
	static const char *const init[] = { "init", "-q", NULL };
	autofree char *where = xasprintf("fetched/%s/clone", f->dir);
	autofree char *from = xasprintf("%s/clone%s", f->dir, f->subdir ? f->subdir : "");
	autofree char *to = xasprintf("%s/tree", f->dir);
	autofree char *git = xasprintf("%s/clone/.git", f->dir);
	autobuf struct buf out = { 0 };
	autoclose int tree = -1;
	int rc;

	setenv("GIT_TERMINAL_PROMPT", "0", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	if (s->ca)
		setenv("GIT_SSL_CAINFO", s->ca, 1);
	if (f->ref && *f->ref == '-')
		return err_set(e, ERR_INVALID, "%s: '%s' is no ref", f->url, f->ref);
	if (mkdir(where, 0755))
		return err_sys(e, "make '%s'", where);
	rc = get_git_run(where, init, &out, e);
	if (rc)
		return get_git_fail(f, &out, rc, e);
	if (get_git_commit(f, where, e) || get_git_check(f, where, e))
		return -1;
	if (!f->keep_git_dir && io_remove_tree(dir, git))
		return err_set(e, ERR_INTERNAL, "remove '%s'", git);
	/* A repository may hold links; the folder must be none of them. */
	tree = io_open_below(dir, from, O_RDONLY | O_DIRECTORY, 0);
	if (tree < 0)
		return err_set(e, ERR_INVALID, "%s has no folder '%s'", f->url,
			       f->subdir ? f->subdir : "/");
	return renameat(dir, from, dir, to) ? err_sys(e, "move the tree of %s", f->url) : 0;
}

/* The step's own names are asked of the resolver that a RUN has. */
static int get_resolver(const struct step *s, struct err *e)
{
	autofree char *text = xasprintf("nameserver %s\n", s->dns ? s->dns : "");

	if (!s->dns)
		return 0;
	if (io_replace(3, "resolv.conf", text, strlen(text), 0644, e))
		return -1;
	return mount("resolv.conf", "/etc/resolv.conf", NULL, MS_BIND, NULL)
		       ? err_sys(e, "bind /etc/resolv.conf")
		       : 0;
}

/* The URL without the user and the password in it, which are nobody's to read in a log. */
static char *get_shown(const char *url)
{
	const char *host = strstr(url, "://"), *at, *last = NULL;

	if (!host)
		return xstrdup(url);
	host += 3;
	for (at = host; *at && !strchr("/?#", *at); at++)
		last = *at == '@' ? at : last;
	return last ? xasprintf("%.*s%s", (int)(host - url), url, last + 1) : xstrdup(url);
}

static void get_hide(const char *url, const char *shown, struct err *e)
{
	autofree char *text = xstrdup(e->text);
	char *at = strcmp(url, shown) ? strstr(text, url) : NULL;
	enum err_kind kind = e->kind;

	if (!at)
		return;
	*at = '\0';
	err_set(e, kind, "%s%s%s", text, shown, at + strlen(url));
}

static int get_one(struct step *s, int dir, const struct dockerfile_fetch *f, struct err *e)
{
	autofree char *shown = get_shown(f->url);
	struct stat st;

	if (!fstatat(dir, f->dir, &st, AT_SYMLINK_NOFOLLOW))
		return 0; /* named twice */
	if (io_mkdir(dir, f->dir, 0755))
		return err_set(e, ERR_INTERNAL, "make a folder for %s", shown);
	printf("doze: fetching %s\n", shown);
	fflush(stdout);
	if (!get_has_room(dir))
		return step_fail(s, "DISK_STORAGE_FULL", e,
				 "There is no room for what ADD fetches.");
	if (f->git ? get_git(s, dir, f, e) : get_file(s, dir, f, e)) {
		get_hide(f->url, shown, e);
		return step_fail(
			s, e->kind == ERR_CAPACITY ? "DISK_STORAGE_FULL" : "CONTAINER_BUILD_FAILED",
			e, "The container image build failed. Dockerfile:%d: ADD: %s.", f->line,
			e->text);
	}
	return 0;
}

int get_all(struct step *s, const struct dockerfile_lowered *l, struct err *e)
{
	autoclose int dir = -1;
	int rc = 0;

	if (!l->n_fetches)
		return 0;
	if (io_mkdir(3, "fetched", 0755) || fchmodat(3, "fetched", 0755, 0))
		return err_set(e, ERR_INTERNAL, "make the folder of fetched files");
	dir = io_open_below(3, "fetched", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_set(e, ERR_INTERNAL, "open the folder of fetched files");
	rc = get_resolver(s, e);
	for (size_t i = 0; !rc && i < l->n_fetches; i++)
		rc = get_one(s, dir, &l->fetches[i], e);
	return rc;
}
