#include "base/fscrypt.h"

#include <errno.h>
#include <linux/fscrypt.h>
#include <string.h>
#include <sys/ioctl.h>

/* 0: it has one of version 2; -ENODATA: none; another one: the file system has no policies. */
static int fscrypt_get(int fd, struct fscrypt_policy_v2 *to)
{
	struct fscrypt_get_policy_ex_arg arg = { .policy_size = sizeof(arg.policy) };

	if (ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &arg))
		return -errno;
	if (arg.policy.version != FSCRYPT_POLICY_V2)
		return -ENODATA;
	*to = arg.policy.v2;
	return 0;
}

bool fscrypt_offered(int fd)
{
	struct fscrypt_policy_v2 policy;
	int rc = fscrypt_get(fd, &policy);

	return !rc || rc == -ENODATA;
}

int fscrypt_add(int fd, const uint8_t key[FSCRYPT_KEY_BYTES], struct fscrypt_id *id)
{
	/* The raw key follows the argument. */
	_Alignas(struct fscrypt_add_key_arg)
		uint8_t bytes[sizeof(struct fscrypt_add_key_arg) + FSCRYPT_KEY_BYTES] = { 0 };
	struct fscrypt_add_key_arg *arg = (void *)bytes;
	int rc;

	arg->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
	arg->raw_size = FSCRYPT_KEY_BYTES;
	memcpy(arg->raw, key, FSCRYPT_KEY_BYTES);
	rc = ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, arg) ? -errno : 0;
	memcpy(id->bytes, arg->key_spec.u.identifier, sizeof(id->bytes));
	explicit_bzero(bytes, sizeof(bytes));
	return rc;
}

int fscrypt_remove(int fd, const struct fscrypt_id *id)
{
	struct fscrypt_remove_key_arg arg = {
		.key_spec = { .type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER },
	};

	memcpy(arg.key_spec.u.identifier, id->bytes, sizeof(id->bytes));
	if (ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY, &arg))
		return -errno;
	return arg.removal_status_flags & FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY ? 1 : 0;
}

static int fscrypt_set_policy(int dir_fd, struct fscrypt_policy_v2 *policy)
{
	return ioctl(dir_fd, FS_IOC_SET_ENCRYPTION_POLICY, policy) ? -errno : 0;
}

int fscrypt_set(int dir_fd, const struct fscrypt_id *id)
{
	struct fscrypt_policy_v2 policy = {
		.version = FSCRYPT_POLICY_V2,
		.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
		.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
		.flags = FSCRYPT_POLICY_FLAGS_PAD_32,
	};

	memcpy(policy.master_key_identifier, id->bytes, sizeof(id->bytes));
	return fscrypt_set_policy(dir_fd, &policy);
}

int fscrypt_inherit(int dir_fd, int from)
{
	struct fscrypt_policy_v2 policy;

	return fscrypt_get(from, &policy) ? 0 : fscrypt_set_policy(dir_fd, &policy);
}
