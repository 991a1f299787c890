#include "wire/native_name.h"

#include <stdlib.h>
#include <string.h>

#define NATIVE_TOKEN "doze-token."

/* All of @n characters: a number without zeros before it, from 1 to 65535. */
static bool native_port(const char *text, size_t n, uint16_t *port)
{
	unsigned long value = 0;

	if (!n || n > 5 || *text == '0')
		return false;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (unsigned long)(text[i] - '0');
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

/* @text has at least UUID_SIZE - 1 characters. */
static bool native_uuid(const char *text, char endpoint[UUID_SIZE])
{
	memcpy(endpoint, text, UUID_SIZE - 1);
	endpoint[UUID_SIZE - 1] = '\0';
	return uuid_valid(endpoint);
}

enum native_name native_name_read(const char *host, char endpoint[UUID_SIZE], uint16_t *port,
				  const char **rest)
{
	size_t label = strcspn(host, "."), n = strspn(host, "0123456789");

	*rest = host + label;
	*port = 0;
	/* An endpoint's own name may begin with eight digits, so the length tells them apart. */
	if (!n || host[n] != '-' || label != n + UUID_SIZE || !native_uuid(host + n + 1, endpoint))
		return NATIVE_NONE;
	return native_port(host, n, port) ? NATIVE_PORT : NATIVE_BAD_PORT;
}

bool native_name_of_option(const char *text, char endpoint[UUID_SIZE], uint16_t *port)
{
	size_t size = strlen(text), id = UUID_SIZE - 1;
	const char *rest;

	*port = 0;
	if (native_name_read(text, endpoint, port, &rest) == NATIVE_PORT)
		return !*rest;
	if (size < id || !native_uuid(text, endpoint))
		return false;
	if (size == id)
		return true;
	text += id;
	return *text == '-' && strspn(text + 1, "0123456789") == size - id - 1 &&
	       native_port(text + 1, size - id - 1, port);
}

/* The next protocol; false: there is none, or it is cut off. */
static bool native_alpn_next(const uint8_t **at, size_t *left, const char **name, size_t *n)
{
	if (!*left || !**at || **at >= *left)
		return false;
	*n = **at;
	*name = (const char *)*at + 1;
	*at += *n + 1;
	*left -= *n + 1;
	return true;
}

void native_token_join(const uint8_t *alpn, size_t size, struct buf *token)
{
	size_t n, prefix = strlen(NATIVE_TOKEN);
	const char *name;

	while (native_alpn_next(&alpn, &size, &name, &n))
		if (n > prefix && !memcmp(name, NATIVE_TOKEN, prefix))
			buf_add(token, name + prefix, n - prefix);
}
