/* files.h - the keys of files: an image that names a key has its files encrypted by the file system
 * of the data directory (base/fscrypt.h), unless the configuration leaves them plain. */
#ifndef CONTROL_KMS_FILES_H
#define CONTROL_KMS_FILES_H

#include "control/kms/kms.h"

bool kms_files_wanted(const struct control *ctl);
bool kms_files_offered(const struct control *ctl);
/* The caller wipes @to. */
int kms_file_key(const struct control *ctl, const struct kms_key *key,
		 uint8_t to[FSCRYPT_KEY_BYTES], struct err *e) must_check;
void kms_files_add(const struct control *ctl, struct kms_key *key); /* if it can be used */
void kms_files_add_all(const struct control *ctl);
/* Again and again, until key->in_kernel is false. */
void kms_files_remove(const struct control *ctl, struct kms_key *key);

#endif
