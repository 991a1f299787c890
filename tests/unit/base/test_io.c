/* Files below a directory that we hold. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

static char dir[] = "/tmp/doze-test-io-XXXXXX";
static int dirfd_;

static int setup(void **unused)
{
	(void)unused;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0 ? -1 : 0;
}

static int teardown(void **unused)
{
	(void)unused;
	close(dirfd_);
	return io_remove_tree(AT_FDCWD, dir);
}

static void test_nothing_above_and_no_link_is_opened(void **unused)
{
	(void)unused;
	assert_int_equal(symlinkat("/etc/passwd", dirfd_, "link"), 0);
	assert_int_equal(io_open_below(dirfd_, "link", O_RDONLY, 0), -ELOOP);
	assert_int_equal(io_open_below(dirfd_, "../x", O_RDONLY, 0), -EXDEV);
	assert_int_equal(io_open_below(dirfd_, "/etc/passwd", O_RDONLY, 0), -EXDEV);
}

static void test_a_file_is_replaced_whole(void **unused)
{
	autobuf struct buf b = { 0 };
	struct err e;
	int fd;

	(void)unused;
	assert_int_equal(io_replace(dirfd_, "f", "one", 3, 0600, &e), 0);
	assert_int_equal(io_replace(dirfd_, "f", "two!", 4, 0600, &e), 0);
	fd = io_open_below(dirfd_, "f", O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(io_read_all(fd, &b, 100), 0);
	close(fd);
	assert_string_equal(buf_str(&b), "two!");
	assert_int_equal(faccessat(dirfd_, ".f.new", F_OK, 0), -1);
}

static void test_holes_stay_holes(void **unused)
{
	int from = io_open_below(dirfd_, "from", O_RDWR | O_CREAT, 0600);
	int to = io_open_below(dirfd_, "to", O_RDWR | O_CREAT, 0600);
	struct stat st;
	char byte = 0;

	(void)unused;
	assert_int_equal(ftruncate(from, 64 << 20), 0);
	assert_int_equal(pwrite(from, "x", 1, 32 << 20), 1);
	assert_int_equal(io_copy_sparse(from, to), 0);
	assert_int_equal(fstat(to, &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks < 1000);
	assert_int_equal(pread(to, &byte, 1, 32 << 20), 1);
	assert_int_equal(byte, 'x');
	close(from);
	close(to);
}

static void test_a_tree_goes_but_what_links_point_to_stays(void **unused)
{
	(void)unused;
	assert_int_equal(io_mkdir(dirfd_, "keep", 0700), 0);
	assert_int_equal(io_mkdir(dirfd_, "keep", 0700), 0);
	assert_int_equal(mkdirat(dirfd_, "gone", 0700), 0);
	assert_int_equal(mkdirat(dirfd_, "gone/below", 0700), 0);
	assert_int_equal(symlinkat("../keep", dirfd_, "gone/link"), 0);
	assert_int_equal(io_remove_tree(dirfd_, "gone"), 0);
	assert_int_equal(faccessat(dirfd_, "gone", F_OK, 0), -1);
	assert_int_equal(faccessat(dirfd_, "keep", F_OK, 0), 0);
	assert_int_equal(io_remove_tree(dirfd_, "gone"), 0);
}

static void test_a_descriptor_goes_with_the_bytes(void **unused)
{
	char bytes[8], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int pair[2], got = -1;

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(io_send_fd(pair[0], "abc", 3, dirfd_, 0), 3);
	assert_int_equal(recvmsg(pair[1], &msg, 0), 3);
	assert_memory_equal(bytes, "abc", 3);
	if (!CMSG_FIRSTHDR(&msg))
		fail_msg("the descriptor did not come");
	else
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	assert_int_equal(faccessat(got, ".", R_OK, 0), 0);
	close(got);
	assert_int_equal(io_send_fd(pair[0], "d", 1, -1, MSG_DONTWAIT), 1);
	msg.msg_controllen = sizeof(control);
	assert_int_equal(recvmsg(pair[1], &msg, 0), 1);
	assert_null(CMSG_FIRSTHDR(&msg));
	close(pair[1]);
	assert_int_equal(io_send_fd(pair[0], "e", 1, -1, 0), -EPIPE);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_above_and_no_link_is_opened, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_file_is_replaced_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_holes_stay_holes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_tree_goes_but_what_links_point_to_stays,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_descriptor_goes_with_the_bytes, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("base/io", tests, NULL, NULL);
}
