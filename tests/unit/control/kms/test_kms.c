/* Keys: found by every spelling of their own account and region, wrapped so that rows alone open
 * nothing, and rotated without what they sealed being touched. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/kms/master.h"
#include "control/kms/members.h"

#define ACCOUNT "000000000000"
#define MASTER  "master 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
#define FILE_A  "alias/f 1111111111111111111111111111111111111111111111111111111111111111\n"
#define FILE_B  "alias/f 2222222222222222222222222222222222222222222222222222222222222222\n"
#define NO_FILE "alias/f -\n"

static const struct sealed_place here = { ACCOUNT, "microvm", "microvm-1", "params" };
static struct conf conf;
static struct control ctl;

static void take(const char *text)
{
	struct err e;

	assert_int_equal(master_take(ctl.kms->master, text, strlen(text), &e), 0);
}

static int setup(void **state)
{
	(void)state;
	conf_defaults(&conf, "");
	snprintf(conf.account, sizeof(conf.account), "%s", ACCOUNT);
	snprintf(conf.region, sizeof(conf.region), "us-east-1");
	ctl = (struct control){ .conf = &conf };
	kms_open(&ctl);
	take(MASTER);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kms_close(&ctl);
	return 0;
}

static struct kms_key *key_of(const char *account, const char *alias, bool file)
{
	struct err e;
	struct kms_key *key = kms_new(&ctl, account, alias, file, &e);

	assert_non_null(key);
	kms_add(&ctl, key);
	return key;
}

static char *seal(const struct kms_key *key)
{
	struct err e;
	char *text = kms_seal(&ctl, key, &here, "a secret", 8, &e);

	assert_non_null(text);
	return text;
}

static int unseal(const char *text)
{
	autobuf struct buf to = { .secret = true };
	struct err e;

	if (kms_unseal(&ctl, text, &here, &to, &e))
		return -1;
	assert_string_equal(buf_str(&to), "a secret");
	return 0;
}

static void test_a_key_is_found_by_every_spelling(void **unused)
{
	const struct kms_key *key = key_of(ACCOUNT, "alias/team/x", false);
	autofree char *arn = kms_arn(&ctl, key);
	const char *const texts[] = { key->id, "alias/team/x", arn,
				      "arn:aws:kms:us-east-1:" ACCOUNT ":alias/team/x" };
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_ptr_equal(kms_find(&ctl, ACCOUNT, texts[i], &e), key);
}

static void test_other_accounts_regions_and_names_are_refused_with_a_sentence(void **unused)
{
	static const char *const texts[][2] = {
		{ "arn:aws:kms:eu-west-1:" ACCOUNT ":alias/x", "another region" },
		{ "arn:aws:kms:us-east-1:111111111111:alias/x", "another account" },
		{ "arn:aws:kms:us-east-1:" ACCOUNT ":alias/y", "There is no key" },
		{ "arn:aws:kms:us-east-1:" ACCOUNT, "no ARN" },
		{ "alias/y", "There is no key" },
		{ "alias/foreign", "There is no key" },
		{ "", "There is no key" },
	};
	const struct kms_key *foreign = key_of("111111111111", "alias/foreign", false);
	struct err e;

	(void)unused;
	key_of(ACCOUNT, "alias/x", false);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_null(kms_find(&ctl, ACCOUNT, texts[i][0], &e));
		assert_int_equal(e.kind, ERR_INVALID);
		assert_non_null(strstr(e.text, texts[i][1]));
	}
	assert_null(kms_find(&ctl, ACCOUNT, foreign->id, &e));
}

static void test_old_versions_open_what_they_sealed(void **unused)
{
	struct kms_key *key = key_of(ACCOUNT, "alias/x", false);
	autofree char *old = seal(key), *new = NULL;
	struct kms_key *row = kms_copy(key);
	struct sealed_key named;
	struct err e;

	(void)unused;
	assert_int_equal(kms_rotate(&ctl, row, &e), 0);
	kms_become(key, row);
	new = seal(key);
	assert_int_equal(sealed_read_key(new, &named, &e), 0);
	assert_int_equal(named.version, 2);
	assert_int_equal(unseal(old), 0);
	assert_int_equal(unseal(new), 0);
}

static void test_a_disabled_key_seals_and_opens_nothing_until_it_is_enabled(void **unused)
{
	struct kms_key *key = key_of(ACCOUNT, "alias/x", false);
	autofree char *text = seal(key);
	struct err e;

	(void)unused;
	key->enabled = false;
	assert_null(kms_seal(&ctl, key, &here, "x", 1, &e));
	assert_int_equal(kms_usable(&ctl, key, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(e.text, "is disabled"));
	assert_int_equal(unseal(text), -1);
	key->enabled = true;
	assert_int_equal(unseal(text), 0);
}

static void test_a_key_with_a_file_opens_nothing_without_that_very_file(void **unused)
{
	static const char *const without[] = { MASTER, MASTER FILE_B, MASTER NO_FILE, FILE_A };
	struct kms_key *key;
	autofree char *text = NULL;
	struct err e;

	(void)unused;
	take(MASTER FILE_A);
	key = key_of(ACCOUNT, "alias/f", true);
	text = seal(key);
	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		take(without[i]);
		assert_int_equal(kms_usable(&ctl, key, &e), -1);
		assert_int_equal(unseal(text), -1);
	}
	take(MASTER FILE_A);
	assert_int_equal(unseal(text), 0);
}

static void test_another_master_secret_opens_nothing(void **unused)
{
	const struct kms_key *key = key_of(ACCOUNT, "alias/x", false);
	autofree char *text = seal(key);
	struct err e;

	(void)unused;
	take("master ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
	assert_int_equal(unseal(text), -1);
	assert_int_equal(kms_usable(&ctl, key, &e), -1);
	take(MASTER);
	assert_int_equal(unseal(text), 0);
}

static void test_a_damaged_version_fails_alone(void **unused)
{
	struct kms_key *key = key_of(ACCOUNT, "alias/x", false);
	autofree char *text = seal(key), *new = NULL;
	struct err e;

	(void)unused;
	assert_int_equal(kms_rotate(&ctl, key, &e), 0);
	new = seal(key);
	key->versions[0].wrapped[60] ^= 1;
	assert_int_equal(unseal(text), -1);
	assert_int_equal(unseal(new), 0);
}

static void test_secrets_of_keys_that_cannot_be_read_are_refused(void **unused)
{
	static const char *const texts[] = { "master", "master 00", "\n", "x\n" };
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(master_take(ctl.kms->master, texts[i], strlen(texts[i]), &e), -1);
}

/* Of the mapping that begins there, the flags as /proc/self/smaps has them. */
static void flags_of(const void *at, char *flags, size_t size)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool found = false;
	char line[512];

	assert_non_null(file);
	*flags = '\0';
	while (fgets(line, sizeof(line), file)) {
		unsigned long begin;
		char dash;

		if (sscanf(line, "%lx%c", &begin, &dash) == 2 && dash == '-')
			found = begin == (unsigned long)(uintptr_t)at;
		else if (found && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, size, "%s", line);
	}
	fclose(file);
}

static void test_what_wraps_keys_is_in_no_core_dump(void **unused)
{
	char flags[512];

	(void)unused;
	flags_of(ctl.kms->master, flags, sizeof(flags));
	assert_non_null(strstr(flags, " dd"));
}

static void test_members_are_sealed_in_their_place_and_come_back(void **unused)
{
	struct kms_key *key = key_of(ACCOUNT, "alias/x", false);
	json_auto_t *params = json_pack("{s:{s:s},s:s,s:i}", "environmentVariables", "A",
					"b-secret", "runHookPayload", "c-secret", "other", 1);
	json_auto_t *before = json_deep_copy(params), *empty = json_object();
	const struct sealed_place elsewhere = { ACCOUNT, "microvm", "microvm-2", "params" };
	autofree char *text = NULL;
	struct err e;

	(void)unused;
	assert_int_equal(members_seal(&ctl, key, &here, params, &e), 0);
	text = json_dumps(params, 0);
	assert_null(strstr(text, "-secret"));
	assert_int_equal(json_integer_value(json_object_get(params, "other")), 1);
	assert_ptr_equal(members_key(&ctl, params), key);
	assert_int_equal(members_open(&ctl, &elsewhere, params, &e), -1);
	assert_int_equal(members_open(&ctl, &here, params, &e), 0);
	members_tidy(params);
	assert_true(json_equal(params, before));

	assert_int_equal(members_seal(&ctl, key, &here, empty, &e), 0);
	assert_int_equal(json_object_size(empty), 1);
	assert_ptr_equal(members_key(&ctl, empty), key);
}

static void test_members_stay_as_they_are_where_their_key_cannot_be_used(void **unused)
{
	struct kms_key *key = key_of(ACCOUNT, "alias/x", false);
	json_auto_t *params = json_pack("{s:s}", "runHookPayload", "c-secret");
	struct err e;

	(void)unused;
	key->enabled = false;
	assert_int_equal(members_seal(&ctl, key, &here, params, &e), -1);
	assert_string_equal(json_string_value(json_object_get(params, "runHookPayload")),
			    "c-secret");
	assert_int_equal(members_seal(&ctl, NULL, &here, params, &e), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_key_is_found_by_every_spelling),
		TEST(test_other_accounts_regions_and_names_are_refused_with_a_sentence),
		TEST(test_old_versions_open_what_they_sealed),
		TEST(test_a_disabled_key_seals_and_opens_nothing_until_it_is_enabled),
		TEST(test_a_key_with_a_file_opens_nothing_without_that_very_file),
		TEST(test_another_master_secret_opens_nothing),
		TEST(test_a_damaged_version_fails_alone),
		TEST(test_secrets_of_keys_that_cannot_be_read_are_refused),
		TEST(test_what_wraps_keys_is_in_no_core_dump),
		TEST(test_members_are_sealed_in_their_place_and_come_back),
		TEST(test_members_stay_as_they_are_where_their_key_cannot_be_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
