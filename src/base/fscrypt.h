/* fscrypt.h - directories whose files the file system encrypts (ext4 with the feature "encrypt",
 * f2fs, and others): policies of version 2.
 *
 * A key belongs to a mounted file system, and each user who added it has a claim on it: it is gone
 * when the last claim is.  A policy can be given to an empty directory by who has a claim on its
 * key; all that is made in it has the policy too, and keeps it wherever it is renamed or linked to.
 */
#ifndef BASE_FSCRYPT_H
#define BASE_FSCRYPT_H

#include "base/base.h"

#define FSCRYPT_KEY_BYTES 64

struct fscrypt_id {
	uint8_t bytes[16]; /* of a key */
};

/* Can the file system of this descriptor do it? */
bool fscrypt_offered(int fd);
/* These return 0 or -errno. */
int fscrypt_add(int fd, const uint8_t key[FSCRYPT_KEY_BYTES], struct fscrypt_id *id) must_check;
/* Our claim.  1: the key is gone, but some of its files are in use and stay readable until this is
 * called again when they are not. */
int fscrypt_remove(int fd, const struct fscrypt_id *id);
int fscrypt_set(int dir_fd, const struct fscrypt_id *id) must_check;
/* Gives an empty directory the policy that @from has, if it has one. */
int fscrypt_inherit(int dir_fd, int from) must_check;

#endif
