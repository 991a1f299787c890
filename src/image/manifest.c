#include "image/manifest.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"

static const char *manifest_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool manifest_is_digest(const char *text)
{
	return !strncmp(text, "sha256:", 7) && strlen(text) == 71 &&
	       strspn(text + 7, "0123456789abcdef") == 64;
}

static json_t *manifest_json(const struct buf *text)
{
	return json_loadb((const char *)text->data, text->size, JSON_REJECT_DUPLICATES, NULL);
}

/* Letters, digits and what stands in names of platforms; so it can be shown. */
static bool manifest_is_word(const char *text)
{
	size_t n =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n && n < 32 && !text[n];
}

static bool manifest_lists(const struct manifest *m, const char *name)
{
	for (const char *at = m->platforms; *at; at += strspn(at, ", ")) {
		size_t n = strcspn(at, ",");

		if (n == strlen(name) && !memcmp(at, name, n))
			return true;
		at += n;
	}
	return false;
}

/* An entry without a platform that can be shown is left out, as are a builder's attestations, whose
 * platform is "unknown". */
static void manifest_name(struct manifest *m, const json_t *platform)
{
	const char *os = manifest_text(platform, "os");
	const char *arch = manifest_text(platform, "architecture");
	char name[80];
	size_t n = strlen(m->platforms);

	if (!manifest_is_word(os) || !manifest_is_word(arch) || !strcmp(os, "unknown"))
		return;
	snprintf(name, sizeof(name), "%s/%s", os, arch);
	if (manifest_lists(m, name) || n + strlen(name) + 3 > sizeof(m->platforms))
		return;
	snprintf(m->platforms + n, sizeof(m->platforms) - n, "%s%s", n ? ", " : "", name);
}

/* The builder prefers a variant of the host's platform, or takes an entry that names no platform.
 */
static bool manifest_may_be_taken(const json_t *platform, const char *arch)
{
	return !json_is_object(platform) ||
	       (!strcmp(manifest_text(platform, "os"), "linux") &&
		!strcmp(manifest_text(platform, "architecture"), arch));
}

static int manifest_note_other(struct manifest *m, const char *digest, struct err *e)
{
	for (size_t i = 0; i < m->n_others; i++)
		if (!strcmp(m->others[i], digest))
			return 0;
	if (m->n_others == MANIFEST_OTHERS)
		return err_set(e, ERR_INVALID,
			       "sends a list with too many images for one platform");
	memcpy(m->others[m->n_others++], digest, MANIFEST_DIGEST);
	return 0;
}

static int manifest_list(struct manifest *m, const json_t *list, const char *arch, struct err *e)
{
	const json_t *each;
	size_t i;
	int rc = 0;

	m->kind = MANIFEST_OTHER;
	json_array_foreach((json_t *)(uintptr_t)list, i, each)
	{
		const json_t *platform = json_object_get(each, "platform");
		const char *digest = manifest_text(each, "digest");

		if (!manifest_is_digest(digest))
			return err_set(e, ERR_INVALID,
				       "sends a list with an image that has no "
				       "proper digest");
		manifest_name(m, platform);
		if (json_is_object(platform) && manifest_may_be_taken(platform, arch) &&
		    m->kind == MANIFEST_OTHER) {
			m->kind = MANIFEST_FOUND;
			memcpy(m->image, digest, sizeof(m->image));
		}
	}
	json_array_foreach((json_t *)(uintptr_t)list, i, each)
	{
		const char *digest = manifest_text(each, "digest");

		if (!rc && m->kind == MANIFEST_FOUND && strcmp(digest, m->image) != 0 &&
		    manifest_may_be_taken(json_object_get(each, "platform"), arch))
			rc = manifest_note_other(m, digest, e);
	}
	return rc;
}

/* The builder reads names of members without case (Unicode's case, for which U+017F is an s), and
 * of those that are equal so it takes the last. */
static bool manifest_is_plain_name(const char *name)
{
	static const char *const known[] = {
		"annotations", "architecture",  "artifactType", "config",      "data",
		"digest",      "features",      "fsLayers",     "history",     "layers",
		"manifests",   "mediaType",     "os",           "os.features", "os.version",
		"platform",    "schemaVersion", "signatures",   "size",        "subject",
		"urls",        "variant",
	};

	for (const char *at = name; *at; at++)
		if (*at & 0x80)
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcasecmp(name, known[i]) && strcmp(name, known[i]) != 0)
			return false;
	return true;
}

static bool manifest_is_plain(const json_t *value)
{
	json_t *each;
	const char *name;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)value, i, each)
	{
		if (!manifest_is_plain(each))
			return false;
	}
	json_object_foreach((json_t *)(uintptr_t)value, name, each)
	{
		bool free_names = !strcmp(name, "annotations");

		if (!manifest_is_plain_name(name) || (!free_names && !manifest_is_plain(each)))
			return false;
	}
	return true;
}

/* The header of an answer can say what a document is, so it must be one thing alone. */
static bool manifest_is_mixed(const json_t *doc)
{
	const json_t *list = json_object_get(doc, "manifests");

	if (!list)
		return json_object_get(doc, "config") && json_object_get(doc, "fsLayers");
	return !json_is_array(list) || json_object_get(doc, "config") ||
	       json_object_get(doc, "layers") || json_object_get(doc, "fsLayers");
}

/* Layers may name addresses of their own, so that an image could make this host ask anywhere. */
static bool manifest_is_elsewhere(const json_t *doc)
{
	const json_t *each;
	size_t i;

	json_array_foreach(json_object_get(doc, "layers"), i,
			   each) if (json_array_size(json_object_get(each, "urls"))) return true;
	return false;
}

int manifest_read(struct manifest *m, const struct buf *text, const char *arch, struct err *e)
{
	json_t *doc = manifest_json(text), *list = json_object_get(doc, "manifests");
	const char *config = manifest_text(json_object_get(doc, "config"), "digest");
	int rc = 0;

	*m = (struct manifest){ .kind = MANIFEST_IMAGE };
	if (!json_is_object(doc))
		rc = err_set(e, ERR_INVALID, "sends something that is no manifest");
	else if (!manifest_is_plain(doc) || manifest_is_mixed(doc))
		rc = err_set(e, ERR_INVALID, "sends a manifest that can be read in two ways");
	else if (json_is_array(list))
		rc = manifest_list(m, list, arch, e);
	else if (json_integer_value(json_object_get(doc, "schemaVersion")) == 1)
		rc = err_set(e, ERR_INVALID,
			     "has it only in the first form of manifests, which is not read");
	else if (!manifest_is_digest(config))
		rc = err_set(e, ERR_INVALID, "sends a manifest of no container image");
	else if (manifest_is_elsewhere(doc))
		rc = err_set(e, ERR_INVALID,
			     "sends a manifest with layers that lie at other addresses, which "
			     "are not asked");
	else
		memcpy(m->config, config, strlen(config) + 1);
	json_decref(doc);
	return rc;
}

void manifest_platform(const struct buf *config, char *to, size_t room)
{
	json_t *doc = manifest_json(config);
	const char *os = manifest_text(doc, "os"), *arch = manifest_text(doc, "architecture");

	*to = '\0';
	if (manifest_is_word(os) && manifest_is_word(arch))
		snprintf(to, room, "%s/%s", os, arch);
	json_decref(doc);
}

void manifest_digest(const struct buf *text, char to[MANIFEST_DIGEST])
{
	uint8_t digest[32];

	if (!EVP_Digest(text->data, text->size, digest, NULL, EVP_sha256(), NULL))
		abort(); /* SHA-256 is always there */
	snprintf(to, MANIFEST_DIGEST, "sha256:");
	hex_encode(digest, sizeof(digest), to + 7);
}

/* Reads `key="value"` or `key=value`, and returns what follows it. */
static const char *manifest_pair(const char *at, const char *key, char *to, size_t room)
{
	size_t name = strcspn(at, "= ,"), n = 0;
	bool wanted = name == strlen(key) && !strncasecmp(at, key, name);

	at += name;
	if (*at != '=')
		return at + (*at != '\0');
	at++;
	if (*at == '"') {
		for (at++; *at && *at != '"'; at++) {
			if (*at == '\\' && at[1])
				at++;
			if (wanted && n + 1 < room)
				to[n++] = *at;
		}
		at += *at == '"';
	} else {
		for (; *at && *at != ',' && *at != ' '; at++)
			if (wanted && n + 1 < room)
				to[n++] = *at;
	}
	if (wanted)
		to[n] = '\0';
	return at;
}

void manifest_read_challenge(struct manifest_challenge *c, const char *header)
{
	const char *at;

	*c = (struct manifest_challenge){ 0 };
	c->basic = !strncasecmp(header, "Basic", 5) && (header[5] == ' ' || !header[5]);
	c->bearer = !strncasecmp(header, "Bearer ", 7);
	if (!c->bearer)
		return;
	for (const char *key = "realm"; key; key = strcmp(key, "realm") ? NULL : "service") {
		bool realm = !strcmp(key, "realm");

		for (at = header + 7; *at;)
			at = strchr(" ,", *at)
				     ? at + 1
				     : manifest_pair(at, key, realm ? c->realm : c->service,
						     realm ? sizeof(c->realm) : sizeof(c->service));
	}
}

void manifest_error(const struct buf *text, char *to, size_t room)
{
	json_t *doc = manifest_json(text);
	json_t *first = json_array_get(json_object_get(doc, "errors"), 0);
	const char *code = manifest_text(first, "code");

	snprintf(to, room, "%s", manifest_is_word(code) ? code : "");
	json_decref(doc);
}
