/* A directory as a zip. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zip.h>

#include "base/io.h"
#include "cli/pack.h"

static char dir[] = "/tmp/doze-test-pack-XXXXXX";

static int setup(void **unused)
{
	(void)unused;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **unused)
{
	(void)unused;
	return io_remove_tree(AT_FDCWD, dir);
}

static void put(const char *name, mode_t mode)
{
	autofree char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, "x\n", 2), 2);
	close(fd);
}

static void test_files_keep_their_mode_and_git_stays_out(void **unused)
{
	autofree char *git = xasprintf("%s/.git", dir);
	zip_uint8_t system;
	zip_uint32_t attributes;
	zip_source_t *source;
	struct err e;
	FILE *file;
	zip_t *zip;
	int fd;

	(void)unused;
	put("Dockerfile", 0644);
	put("run.sh", 0755);
	assert_int_equal(mkdir(git, 0755), 0);
	put(".git/config", 0644);

	fd = pack_directory(dir, &e);
	assert_true(fd >= 0);
	file = fdopen(fd, "r");
	source = zip_source_filep_create(file, 0, -1, NULL);
	zip = zip_open_from_source(source, ZIP_RDONLY, NULL);
	assert_non_null(zip);
	assert_int_equal(zip_get_num_entries(zip, 0), 2);
	assert_true(zip_name_locate(zip, "Dockerfile", 0) >= 0);
	assert_int_equal(zip_file_get_external_attributes(
				 zip, (zip_uint64_t)zip_name_locate(zip, "run.sh", 0), 0, &system,
				 &attributes),
			 0);
	assert_int_equal(attributes >> 16 & 0777, 0755);
	zip_discard(zip);
}

static void write_text(const char *name, const char *text)
{
	autofree char *path = xasprintf("%s/%s", dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_what_dockerignore_names_stays_out_but_for_what_the_build_reads(void **unused)
{
	static const struct {
		const char *name;
		bool in;
	} files[] = {
		{ "Dockerfile", true }, { ".dockerignore", true },     { "a.log", false },
		{ "keep.log", true },   { "node_modules/x/y", false }, { "src/a", true },
		{ "data/big", false },  { "data/small/seed", true },
	};
	zip_t *zip;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autofree char *path = xasprintf("%s/%s", dir, files[i].name);

		for (char *cut = strchr(path + strlen(dir) + 1, '/'); cut;
		     cut = strchr(cut + 1, '/')) {
			*cut = '\0';
			(void)mkdir(path, 0755);
			*cut = '/';
		}
		put(files[i].name, 0644);
	}
	write_text(".dockerignore", "Dockerfile\n.dockerignore\n*.log\n!keep.log\n"
				    "**/node_modules\ndata\n!data/small\n");
	zip = zip_open_from_source(
		zip_source_filep_create(fdopen(pack_directory(dir, &e), "r"), 0, -1, NULL),
		ZIP_RDONLY, NULL);
	assert_non_null(zip);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if ((zip_name_locate(zip, files[i].name, 0) >= 0) != files[i].in)
			fail_msg("%s", files[i].name);
	assert_true(zip_name_locate(zip, "node_modules/", 0) < 0);
	zip_discard(zip);
}

static void test_a_directory_without_a_dockerfile_is_refused(void **unused)
{
	struct err e;

	(void)unused;
	assert_int_equal(pack_directory(dir, &e), -1);
	assert_non_null(strstr(e.text, "no Dockerfile"));
}

static void test_what_is_no_folder_is_called_so(void **unused)
{
	autofree char *missing = xasprintf("%s/nothing", dir);
	autofree char *file = xasprintf("%s/Dockerfile", dir);
	struct err e;

	(void)unused;
	put("Dockerfile", 0644);
	assert_int_equal(pack_directory(missing, &e), -1);
	assert_non_null(strstr(e.text, "there is no folder '"));
	assert_int_equal(pack_directory(file, &e), -1);
	assert_non_null(strstr(e.text, "is no folder"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files_keep_their_mode_and_git_stays_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_what_dockerignore_names_stays_out_but_for_what_the_build_reads, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_a_directory_without_a_dockerfile_is_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_folder_is_called_so, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("cli/pack", tests, NULL, NULL);
}
