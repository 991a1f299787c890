#include "conf/guest_names.h"

#include <stdlib.h>
#include <string.h>

#include "conf/listen.h"
#include "ipc/agent.h"

#define GUEST_BLANKS " \t"

/* As DNS has it: labels of 1 to 63 of letters, digits and '-', also '_' as services have. */
static bool guest_name_ok(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t total = strlen(name), n;

	if (!total || total > 253)
		return false;
	for (; *name; name += n + (name[n] == '.')) {
		n = strspn(name, letters);
		if (!n || n > 63 || *name == '-' || (name[n] && name[n] != '.'))
			return false;
	}
	return true;
}

static int guest_names_search(const char *search, struct err *e)
{
	autofree char *copy = xstrdup(search);
	char *at = copy, *word;
	size_t n = 0;

	while ((word = strsep(&at, GUEST_BLANKS))) {
		if (!*word)
			continue;
		if (!guest_name_ok(word))
			return err_set(e, ERR_INVALID, "[network] search: '%s' is no domain", word);
		if (++n > GUEST_SEARCH_MOST)
			return err_set(e, ERR_INVALID, "[network] search: give at most %d domains",
				       GUEST_SEARCH_MOST);
	}
	return 0;
}

static int guest_names_entry(char *entry, struct err *e)
{
	char *at = entry, *word, *address = NULL;
	size_t n = 0;

	while ((word = strsep(&at, GUEST_BLANKS))) {
		if (!*word)
			continue;
		if (!address) {
			address = word;
			if (!listen_is_address(address))
				return err_set(e, ERR_INVALID,
					       "[network] hosts: '%s' is no address", address);
		} else if (!guest_name_ok(word)) {
			return err_set(e, ERR_INVALID, "[network] hosts: '%s' is no name", word);
		} else {
			n++;
		}
	}
	if (address && (!n || n > GUEST_HOST_NAMES))
		return err_set(e, ERR_INVALID, "[network] hosts: give %s 1 to %d names", address,
			       GUEST_HOST_NAMES);
	return 0;
}

int guest_names_check(const char *search, const char *hosts, struct err *e)
{
	autofree char *copy = xstrdup(hosts);
	char *at = copy, *entry;

	while ((entry = strsep(&at, ";")))
		if (guest_names_entry(entry, e))
			return -1;
	return guest_names_search(search, e);
}

/* The words of a text, with one blank between them. */
static void guest_names_words(struct buf *to, const char *before, const char *text, size_t size)
{
	bool any = false;

	for (size_t i = 0, n; i < size; i += n + 1) {
		for (n = 0; i + n < size && !strchr(GUEST_BLANKS, text[i + n]); n++)
			;
		if (!n)
			continue;
		buf_adds(to, any ? " " : before);
		buf_add(to, text + i, n);
		any = true;
	}
	if (any)
		buf_adds(to, "\n");
}

void guest_names_resolver(struct buf *to, const char *search)
{
	buf_adds(to, "nameserver " SLOT_DNS_IP "\n");
	guest_names_words(to, "search ", search, strlen(search));
}

void guest_names_hosts(struct buf *to, const char *hosts)
{
	buf_adds(to, SLOT_HOSTS);
	for (size_t n; *hosts; hosts += n + (hosts[n] == ';')) {
		n = strcspn(hosts, ";");
		guest_names_words(to, "", hosts, n);
	}
}
