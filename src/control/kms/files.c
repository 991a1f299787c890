#include "control/kms/files.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/log.h"

/* It belongs to a key for ever: what is encrypted with it is not rewritten by a rotation. */
#define FILES_ABOUT "doze kms files 1"

bool kms_files_wanted(const struct control *ctl)
{
	return strcmp(ctl->conf->kms_files, "plain") != 0;
}

bool kms_files_offered(const struct control *ctl)
{
	return fscrypt_offered(ctl->data_fd);
}

int kms_file_key(const struct control *ctl, const struct kms_key *key,
		 uint8_t to[FSCRYPT_KEY_BYTES], struct err *e)
{
	struct sealed_key first;
	unsigned n = 0;

	if (kms_unwrap(ctl, key, 1, &first, e))
		return -1;
	if (!HMAC(EVP_sha512(), first.bytes, sizeof(first.bytes), (const uint8_t *)FILES_ABOUT,
		  sizeof(FILES_ABOUT), to, &n) ||
	    n != FSCRYPT_KEY_BYTES)
		abort();
	OPENSSL_cleanse(&first, sizeof(first));
	return 0;
}

void kms_files_add(const struct control *ctl, struct kms_key *key)
{
	uint8_t bytes[FSCRYPT_KEY_BYTES];
	struct err e;
	int rc;

	if (!kms_files_wanted(ctl) || !kms_files_offered(ctl) || kms_usable(ctl, key, &e) ||
	    kms_file_key(ctl, key, bytes, &e))
		return;
	rc = fscrypt_add(ctl->data_fd, bytes, &key->file_id);
	key->in_kernel = !rc;
	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (rc)
		log_err("the kernel does not take the key of files key=%s error=\"%s\"", key->alias,
			strerror(-rc));
}

void kms_files_remove(const struct control *ctl, struct kms_key *key)
{
	int rc = key->in_kernel ? fscrypt_remove(ctl->data_fd, &key->file_id) : 0;

	key->in_kernel = rc == 1;
	if (rc < 0)
		log_err("the key of files stays in the kernel key=%s error=\"%s\"",
			key->alias ? key->alias : key->id, strerror(-rc));
}

void kms_files_add_all(const struct control *ctl)
{
	hash_each(key, &ctl->kms->by_name, struct kms_key, by_name) kms_files_add(ctl, key);
}
