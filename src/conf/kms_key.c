#include "conf/kms_key.h"

#include <string.h>

#include "conf/keys.h"

void *conf_kms_key(struct conf *c, const char *section, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789/_-";
	static const char prefix[] = "alias/";
	size_t size = strlen(section);

	if (strncmp(section, prefix, strlen(prefix)) != 0 || size == strlen(prefix) ||
	    size >= CONF_TEXT || section[strspn(section, letters)]) {
		err_set(e, ERR_INVALID,
			"[" KMS_KEY "%s]: give alias/NAME, with letters, digits and /_- as NAME",
			section);
		return NULL;
	}
	for (size_t i = 0; i < c->n_kms_keys; i++)
		if (!strcmp(c->kms_keys[i].alias, section))
			return &c->kms_keys[i];
	if (c->n_kms_keys == CONF_KMS_KEYS) {
		err_set(e, ERR_INVALID, "[" KMS_KEY "%s]: there are more than %d keys", section,
			CONF_KMS_KEYS);
		return NULL;
	}
	memcpy(c->kms_keys[c->n_kms_keys].alias, section, size + 1);
	return &c->kms_keys[c->n_kms_keys++];
}
