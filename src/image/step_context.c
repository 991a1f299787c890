/* step_context.c - the build context: what is left out of it, and the hash of what is in it. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/limits.h"
#include "image/step_lower.h"
#include "wire/ignore.h"

#define CONTEXT_DEEP 256 /* folders in folders */

static int context_open(void)
{
	return io_open_below(3, "context", O_RDONLY | O_DIRECTORY, 0);
}

/* The Dockerfile's own list comes before that of the context. */
static struct ignore *context_rules(int dir)
{
	static const char *const names[] = { "Dockerfile.dockerignore", ".dockerignore" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autobuf struct buf text = { 0 };
		autoclose int fd = io_open_below(dir, names[i], O_RDONLY, 0);

		if (fd >= 0 && !io_read_all(fd, &text, LIMIT_DOCKERFILE))
			return ignore_parse((const char *)text.data, text.size);
	}
	return NULL;
}

/* Removes what the rules name below @dir, whose path in the context is *path. */
static int context_sweep(struct ignore *rules, int dir, struct buf *path, unsigned deep,
			 struct err *e)
{
	DIR *list = fdopendir(dir);
	size_t size = path->size;
	struct dirent *entry;
	int rc = 0;

	if (!list || deep > CONTEXT_DEEP) {
		if (list)
			closedir(list);
		else
			close(dir);
		return err_set(e, ERR_INVALID, "The context's folders are nested too deeply.");
	}
	while (!rc && (entry = readdir(list))) {
		bool folder = entry->d_type == DT_DIR, gone;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		buf_addf(path, "%s%s", size ? "/" : "", entry->d_name);
		gone = ignore_matches(rules, buf_str(path));
		if (gone && (!folder || !ignore_takes_in(rules))) {
			rc = io_remove_tree(dirfd(list), entry->d_name)
				     ? err_set(e, ERR_INTERNAL, "remove '%s'", buf_str(path))
				     : 0;
		} else if (folder) {
			int below = io_open_below(dirfd(list), entry->d_name,
						  O_RDONLY | O_DIRECTORY, 0);

			rc = below < 0 ? err_set(e, ERR_INTERNAL, "open '%s'", buf_str(path))
				       : context_sweep(rules, below, path, deep + 1, e);
			if (!rc && gone) /* it stays only if something in it does */
				(void)unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR);
		}
		path->size = size;
	}
	closedir(list);
	return rc;
}

int context_ignore(struct step *s, struct err *e)
{
	autobuf struct buf path = { 0 };
	int dir = context_open();
	struct ignore *rules = dir < 0 ? NULL : context_rules(dir);
	int rc;

	if (dir < 0)
		return err_set(e, ERR_INTERNAL, "open the build context");
	if (!rules) {
		close(dir);
		return 0;
	}
	rc = context_sweep(rules, dir, &path, 0, e);
	if (!rc && ignore_gave_up(rules))
		rc = step_fail(s, "CONTAINER_BUILD_FAILED", e,
			       "The container image build failed: " IGNORE_GAVE_UP ".");
	ignore_free(rules);
	return rc;
}

static void context_digest_file(EVP_MD_CTX *sum, int fd)
{
	char data[65536];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		EVP_DigestUpdate(sum, data, (size_t)n);
}

static void context_digest(EVP_MD_CTX *sum, int dir, const char *name, unsigned deep);

static int context_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void context_digest_dir(EVP_MD_CTX *sum, int dir, const char *name, unsigned deep)
{
	autoclose int fd = io_open_below(dir, name, O_RDONLY | O_DIRECTORY, 0);
	struct dirent **list;
	int n = fd < 0 ? 0 : scandirat(fd, ".", &list, NULL, context_order);

	for (int i = 0; i < n; i++) {
		if (strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
			context_digest(sum, fd, list[i]->d_name, deep + 1);
		free(list[i]);
	}
	if (n > 0)
		free(list);
}

/* Whatever two different trees hold, they are written differently. */
static void context_digest(EVP_MD_CTX *sum, int dir, const char *name, unsigned deep)
{
	char link[4096];
	autofree char *head = NULL;
	struct stat st;
	ssize_t n = 0;

	if (deep > CONTEXT_DEEP || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (S_ISLNK(st.st_mode))
		n = readlinkat(dir, name, link, sizeof(link));
	head = xasprintf("%u %s %o %lld", deep, deep ? name : "", st.st_mode,
			 S_ISREG(st.st_mode) ? (long long)st.st_size : (long long)n);
	EVP_DigestUpdate(sum, head, strlen(head) + 1);
	EVP_DigestUpdate(sum, link, n > 0 ? (size_t)n : 0);
	if (S_ISDIR(st.st_mode)) {
		context_digest_dir(sum, dir, name, deep);
	} else if (S_ISREG(st.st_mode)) {
		autoclose int fd = io_open_below(dir, name, O_RDONLY, 0);

		if (fd >= 0)
			context_digest_file(sum, fd);
	}
}

static bool context_is_link(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISLNK(st.st_mode);
}

const char *context_hash(const char *path)
{
	static char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	autoclose int dir = context_open();
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	int at;

	hex[0] = '\0';
	path = *path ? path : ".";
	at = io_open_below(dir, path, O_PATH | O_NOFOLLOW, 0);
	/* A mount follows a link, to anywhere in the context. */
	if (at == -ELOOP || (at >= 0 && context_is_link(at)))
		path = ".";
	if (sum && (at >= 0 || at == -ELOOP) && EVP_DigestInit_ex(sum, EVP_sha256(), NULL)) {
		context_digest(sum, dir, path, 0);
		EVP_DigestFinal_ex(sum, out, &size);
		for (unsigned i = 0; i < size; i++)
			sprintf(hex + 2 * (size_t)i, "%02x", out[i]);
	}
	if (at >= 0)
		close(at);
	EVP_MD_CTX_free(sum);
	return hex;
}

bool context_is_folder(const char *path)
{
	autoclose int dir = context_open();
	autoclose int at = io_open_below(dir, *path ? path : ".", O_PATH | O_DIRECTORY, 0);

	return at >= 0;
}

static bool context_is_odd(int dir, const char *name, unsigned deep)
{
	autoclose int fd = io_open_below(dir, name, O_RDONLY | O_DIRECTORY, 0);
	struct dirent **list;
	int n = fd < 0 || deep > CONTEXT_DEEP ? 0 : scandirat(fd, ".", &list, NULL, NULL);
	bool odd = false;

	for (int i = 0; i < n; i++) {
		const char *below = list[i]->d_name;
		bool dots = !strcmp(below, ".") || !strcmp(below, "..");

		odd = odd || strpbrk(below, "*?[\\") ||
		      (!dots && list[i]->d_type == DT_DIR && context_is_odd(fd, below, deep + 1));
		free(list[i]);
	}
	if (n > 0)
		free(list);
	return odd;
}

bool context_has_odd_names(void)
{
	autoclose int dir = context_open();

	return context_is_odd(dir, ".", 0);
}

static int context_write_file(int dir, const struct dockerfile_file *f, struct err *e)
{
	autofree char *parent = xstrdup(f->path);
	autoclose int fd = -1;

	*strchr(parent, '/') = '\0';
	if (io_mkdir(dir, parent, 0755))
		return err_set(e, ERR_INTERNAL, "make a heredoc's directory");
	fd = io_open_below(dir, f->path, O_WRONLY | O_CREAT | O_TRUNC, f->script ? 0755 : 0644);
	if (fd < 0 || io_write_full(fd, f->data.data, f->data.size))
		return err_set(e, ERR_INTERNAL, "write a heredoc");
	return 0;
}

int context_write(const struct dockerfile_lowered *l, struct err *e)
{
	autoclose int dir = -1;
	int rc = 0;

	/* chmod clears the set-group-id bit, which would otherwise get into the image */
	if (io_mkdir(3, "heredocs", 0755) || fchmodat(3, "heredocs", 0755, 0))
		return err_set(e, ERR_INTERNAL, "make the heredocs' directory");
	dir = io_open_below(3, "heredocs", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_set(e, ERR_INTERNAL, "open the heredocs' directory");
	for (size_t i = 0; !rc && i < l->n_files; i++)
		rc = context_write_file(dir, &l->files[i], e);
	return rc;
}
