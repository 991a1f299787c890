/* copy_mode.c - modes as chmod takes them, and owners by name. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/copy.h"

static bool copy_is_octal(const char *text)
{
	return *text && !text[strspn(text, "01234567")] && strlen(text) <= 5;
}

/* The bits that letters such as "rwX" name, for all three classes. */
static mode_t copy_permissions(const char *letters, size_t n, mode_t mode)
{
	mode_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		bool any = mode & 0111 || S_ISDIR(mode);

		bits |= letters[i] == 'r' ? 0444U : 0;
		bits |= letters[i] == 'w' ? 0222U : 0;
		bits |= letters[i] == 'x' || (letters[i] == 'X' && any) ? 0111U : 0;
		bits |= letters[i] == 's' ? 06000U : 0;
		bits |= letters[i] == 't' ? 01000U : 0;
	}
	return bits;
}

static mode_t copy_classes(const char *letters, size_t n)
{
	mode_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		mask |= letters[i] == 'u' || letters[i] == 'a' ? 04700U : 0;
		mask |= letters[i] == 'g' || letters[i] == 'a' ? 02070U : 0;
		mask |= letters[i] == 'o' || letters[i] == 'a' ? 01007U : 0;
	}
	return n ? mask : 07777;
}

/* Read one clause such as "go-w". Returns what stands behind it, or NULL. */
static const char *copy_clause(const char *text, mode_t *mode)
{
	size_t who = strspn(text, "ugoa");
	mode_t mask = copy_classes(text, who);

	text += who;
	if (!*text || !strchr("+-=", *text))
		return NULL;
	while (*text && strchr("+-=", *text)) {
		char how = *text++;
		size_t n = strspn(text, "rwxXst");
		mode_t bits = copy_permissions(text, n, *mode) & mask;

		if (how == '=')
			*mode &= ~(mask & 0777U);
		*mode = how == '-' ? *mode & ~bits : *mode | bits;
		text += n;
	}
	return !*text ? text : *text == ',' && text[1] ? text + 1 : NULL;
}

bool copy_mode_valid(const char *text)
{
	mode_t mode = 0;

	if (copy_is_octal(text))
		return true;
	do
		text = copy_clause(text, &mode);
	while (text && *text);
	return text;
}

mode_t copy_mode(const char *text, mode_t mode)
{
	if (copy_is_octal(text))
		return (mode_t)strtoul(text, NULL, 8) & 07777;
	while (*text)
		text = copy_clause(text, &mode);
	return mode & 07777;
}

/* Finds "name:x:number:..." and returns its number-th field behind the name as a number. */
static bool copy_lookup(const char *path, const char *name, unsigned field, uint32_t *to)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (file && !found && getline(&line, &room, file) >= 0) {
		char *rest = line, *word = strsep(&rest, ":");

		if (strcmp(word, name) != 0)
			continue;
		for (unsigned i = 0; rest && i < field; i++)
			word = strsep(&rest, ":");
		*to = (uint32_t)strtoul(word, NULL, 10);
		found = true;
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

static bool copy_number(const char *text, uint32_t *to)
{
	unsigned long long number = strtoull(text, NULL, 10);

	*to = (uint32_t)number;
	return *text && !text[strspn(text, "0123456789")] && number < UINT32_MAX;
}

int copy_owner(struct copy *c, const char *text, struct err *e)
{
	autofree char *user = xstrdup(text);
	char *group = strchr(user, ':');
	uint32_t primary = 0;

	if (group)
		*group++ = '\0';
	if (copy_number(user, &c->uid))
		primary = c->uid;
	else if (!copy_lookup("/etc/passwd", user, 2, &c->uid) ||
		 !copy_lookup("/etc/passwd", user, 3, &primary))
		return err_set(e, ERR_INVALID, "--chown: the image has no user '%s'", user);
	c->gid = primary;
	if (group && !copy_number(group, &c->gid) && !copy_lookup("/etc/group", group, 2, &c->gid))
		return err_set(e, ERR_INVALID, "--chown: the image has no group '%s'", group);
	return 0;
}
