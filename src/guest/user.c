#include "guest/user.h"

#include <stdio.h>
#include <string.h>

#define USER_ID_MAX  2147483647UL /* of a number in USER, as Docker has it */
#define USER_ENTRY   4294967294UL /* of the files: all but the kernel's "no id" */
#define USER_COLUMNS 7

/* A part of one of the files. */
struct span {
	const char *at;
	size_t len;
};

static bool span_is(struct span s, struct span other)
{
	return s.len == other.len && !memcmp(s.at, other.at, s.len);
}

/* Cut off the part before the separator. */
static struct span span_cut(struct span *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	struct span head = { rest->at, end ? (size_t)(end - rest->at) : rest->len };

	rest->at += head.len + (end ? 1 : 0);
	rest->len -= head.len + (end ? 1 : 0);
	return head;
}

static bool span_number(struct span s, unsigned long most, unsigned *value)
{
	unsigned long n = 0;

	if (!s.len || s.len > 10)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		n = n * 10 + (unsigned long)(s.at[i] - '0');
	}
	*value = (unsigned)n;
	return n <= most;
}

/* Read the columns of the next line.  False at the end.  Missing columns are empty. */
static bool user_line(struct span *file, struct span columns[USER_COLUMNS])
{
	struct span line;

	if (!file->len)
		return false;
	line = span_cut(file, '\n');
	for (size_t i = 0; i < USER_COLUMNS; i++)
		columns[i] = span_cut(&line, ':');
	return true;
}

static struct span user_file(const struct buf *b)
{
	return (struct span){ (const char *)b->data, b->size };
}

/* passwd: name, password, uid, gid, comment, home, shell.  A number is always an id, even if it is
 * somebody's name. */
static bool user_find(struct span who, const struct buf *passwd, struct user *u, struct span *name)
{
	struct span file = user_file(passwd), col[USER_COLUMNS];
	unsigned wanted = 0, uid, gid;
	bool number = span_number(who, USER_ID_MAX, &wanted);

	while (user_line(&file, col)) {
		if (!span_number(col[2], USER_ENTRY, &uid) ||
		    !span_number(col[3], USER_ENTRY, &gid))
			continue;
		if (number ? uid != wanted : !span_is(col[0], who))
			continue;
		u->uid = uid;
		u->gid = gid;
		*name = col[0];
		return true;
	}
	u->uid = wanted;
	return number;
}

/* Of several users with one id, the first one's home counts, as in runc. */
static void user_home(const struct buf *passwd, struct user *u)
{
	struct span file = user_file(passwd), col[USER_COLUMNS];
	unsigned uid;

	while (user_line(&file, col)) {
		if (!span_number(col[2], USER_ENTRY, &uid) || uid != u->uid)
			continue;
		if (col[5].len && col[5].len < sizeof(u->home) &&
		    !memchr(col[5].at, '\0', col[5].len)) {
			memcpy(u->home, col[5].at, col[5].len);
			u->home[col[5].len] = '\0';
		}
		return;
	}
}

/* group: name, password, gid, members */
static bool user_find_group(struct span who, const struct buf *group, gid_t *gid)
{
	struct span file = user_file(group), col[USER_COLUMNS];
	unsigned wanted = 0, id;
	bool number = span_number(who, USER_ID_MAX, &wanted);

	while (!number && user_line(&file, col)) {
		if (span_number(col[2], USER_ENTRY, &id) && span_is(col[0], who)) {
			*gid = id;
			return true;
		}
	}
	*gid = wanted;
	return number;
}

static bool user_has_group(const struct user *u, gid_t gid)
{
	bool has = u->gid == gid;

	for (size_t i = 0; i < u->n_groups; i++)
		has |= u->groups[i] == gid;
	return has;
}

static void user_memberships(struct span name, const struct buf *group, struct user *u)
{
	struct span file = user_file(group), col[USER_COLUMNS];
	unsigned id;

	while (u->n_groups < USER_GROUPS && user_line(&file, col)) {
		bool member = false;

		while (col[3].len)
			member |= span_is(span_cut(&col[3], ','), name);
		if (member && span_number(col[2], USER_ENTRY, &id) && !user_has_group(u, id))
			u->groups[u->n_groups++] = id;
	}
}

int user_resolve(const char *who, const struct buf *passwd, const struct buf *group, struct user *u,
		 struct err *e)
{
	struct span rest = { who, strlen(who) }, name = { "", 0 }, user = span_cut(&rest, ':');

	*u = (struct user){ .home = "/" };
	if (!user.len)
		user = (struct span){ "0", 1 };
	if (!user_find(user, passwd, u, &name))
		return err_set(e, ERR_INVALID, "the image's /etc/passwd has no user '%.*s'",
			       (int)user.len, user.at);
	user_home(passwd, u);
	if (rest.len && !user_find_group(rest, group, &u->gid))
		return err_set(e, ERR_INVALID, "the image's /etc/group has no group '%.*s'",
			       (int)rest.len, rest.at);
	if (!rest.len && name.len)
		user_memberships(name, group, u);
	return 0;
}
