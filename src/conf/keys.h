/* keys.h - the keys of doze.ini, for reader.c. */
#ifndef CONF_KEYS_H
#define CONF_KEYS_H

#include "conf/conf.h"

/* Prefixes of sections that stand once for each name. */
#define REGISTRY    "registry "
#define CERTIFICATE "certificate "
#define ROLE        "role "
#define KMS_KEY     "kms_key "

enum conf_kind { CONF_STRING, CONF_INT };

/* One key: where it stands in struct conf or struct conf_registry, what it may be, what it is for.
 */
struct conf_key {
	const char *section, *name;
	enum conf_kind kind;
	size_t offset, size;
	int64_t low, high;
	const char *fallback; /* the default, as it would be written in the file */
	const char *help;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_n_keys;
/* These may stand in any number of sections. */
extern const struct conf_key conf_registry_keys[4], conf_certificate_keys[2], conf_role_keys[8],
	conf_kms_key_keys[1];

/* The texts that are one of a few words. */
struct conf_words {
	const char *section, *name;
	const char *words;     /* with blanks between them */
	const char *old[2][2]; /* what may stand in the place of one: the value, the word */
};
extern const struct conf_words conf_words[];
extern const size_t conf_n_words;

#endif
