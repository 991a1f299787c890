/* lies.c - libc's, SQLite's and libpq's functions as the control role under test finds them: the
 * program's own definitions go before those of the libraries, for libuv and SQLite too. */

#include "lies.h"
#include "base/steady.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct lies *lies; /* NULL: the truth */
static pid_t lies_role;
static _Thread_local bool lies_inside; /* in a call of SQLite's, which calls itself */

/* The function behind ours.  A function pointer is copied out of what dlsym gives, as ISO C has no
 * cast for it. */
#define BEHIND(name)                                                       \
	do {                                                               \
		if (!behind_##name) {                                      \
			void *at_ = dlsym(RTLD_NEXT, #name);               \
			memcpy((void *)&behind_##name, &at_, sizeof(at_)); \
		}                                                          \
	} while (0)

void lies_open(void)
{
	void *at = mmap(NULL, sizeof(*lies), PROT_READ | PROT_WRITE, MAP_SHARED, LIES_FD, 0);

	lies_role = getpid();
	if (at == MAP_FAILED)
		return;
	lies = at;
	if (lies->basis_ms)
		steady_set_basis(lies->basis_ms);
	lies->basis_ms = steady_basis();
}

static bool lies_meets(const struct lie *l)
{
	bool helper = gettid() != lies_role;

	return l->who == LIE_ANYONE || (l->who == LIE_HELPERS) == helper;
}

/* What this call is to answer; 0: the truth. */
static int lies_answer(enum lie_call call)
{
	struct lie *l;
	uint32_t answer;

	if (!lies || (lies_inside && call != LIE_COMMIT))
		return 0;
	l = &lies->calls[call];
	__atomic_add_fetch(&l->asked, 1, __ATOMIC_SEQ_CST);
	if (!l->answer || !lies_meets(l))
		return 0;
	if (l->skip) {
		__atomic_sub_fetch(&l->skip, 1, __ATOMIC_SEQ_CST);
		return 0;
	}
	if (l->times && l->told >= l->times)
		return 0;
	__atomic_add_fetch(&l->told, 1, __ATOMIC_SEQ_CST);
	answer = l->answer;
	if (answer == LIE_DIES_BEFORE)
		kill(getpid(), SIGKILL);
	if (answer != LIE_STALLS)
		return (int)answer;
	while (__atomic_load_n(&l->answer, __ATOMIC_SEQ_CST) == LIE_STALLS)
		usleep(500);
	return 0;
}

/* True: the call is not made, errno is set. */
static bool lies_fails(enum lie_call call, int *answer)
{
	*answer = lies_answer(call);
	if (!*answer || *answer >= LIE_DIES_BEFORE)
		return false;
	errno = *answer;
	return true;
}

static void lies_after(int answer)
{
	if (answer == LIE_DIES_AFTER)
		kill(getpid(), SIGKILL);
}

/* The clocks, and the loop that sleeps by them. */

int clock_gettime(clockid_t clock, struct timespec *t)
{
	static int (*behind_clock_gettime)(clockid_t, struct timespec *);
	int64_t ns = 0;
	int rc;

	BEHIND(clock_gettime);
	rc = behind_clock_gettime(clock, t);
	if (!lies || rc)
		return rc;
	if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME)
		ns = lies->passed_ns;
	else if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		ns = lies->passed_ns + lies->stepped_ns;
	ns += t->tv_nsec;
	t->tv_sec += (time_t)(ns / 1000000000);
	t->tv_nsec = (long)(ns % 1000000000);
	if (t->tv_nsec < 0) {
		t->tv_sec--;
		t->tv_nsec += 1000000000;
	}
	return 0;
}

/* Who waits has added to the time that it was told. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
			   const struct timespec *until)
{
	static int (*behind_pthread_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *,
						    const struct timespec *);
	struct timespec real = *until;

	BEHIND(pthread_cond_timedwait);
	if (lies) {
		real.tv_sec -= (time_t)(lies->passed_ns / 1000000000);
		real.tv_nsec -= (long)(lies->passed_ns % 1000000000);
		if (real.tv_nsec < 0) {
			real.tv_sec--;
			real.tv_nsec += 1000000000;
		}
	}
	return behind_pthread_cond_timedwait(cond, lock, &real);
}

static int lies_wait(int timeout)
{
	int most = lies ? (int)lies->longest_wait_ms : 0;

	if (lies)
		__atomic_add_fetch(&lies->turns, 1, __ATOMIC_SEQ_CST);
	return most && (timeout < 0 || timeout > most) ? most : timeout;
}

int epoll_pwait(int epfd, struct epoll_event *events, int n, int timeout, const sigset_t *mask)
{
	static int (*behind_epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);

	BEHIND(epoll_pwait);
	return behind_epoll_pwait(epfd, events, n, lies_wait(timeout), mask);
}

int epoll_wait(int epfd, struct epoll_event *events, int n, int timeout)
{
	return epoll_pwait(epfd, events, n, timeout, NULL);
}

/* Files. */

static int lies_sync(int fd, int (*behind)(int))
{
	int answer, rc;

	if (lies_fails(LIE_FSYNC, &answer))
		return -1;
	rc = lies && lies->lazy_disk ? 0 : behind(fd);
	lies_after(answer);
	return rc;
}

int fsync(int fd)
{
	static int (*behind_fsync)(int);

	BEHIND(fsync);
	return lies_sync(fd, behind_fsync);
}

int fdatasync(int fd)
{
	static int (*behind_fdatasync)(int);

	BEHIND(fdatasync);
	return lies_sync(fd, behind_fdatasync);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	static int (*behind_renameat)(int, const char *, int, const char *);
	int answer, rc;

	BEHIND(renameat);
	if (lies_fails(LIE_RENAME, &answer))
		return -1;
	rc = behind_renameat(from_fd, from, to_fd, to);
	lies_after(answer);
	return rc;
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	static int (*behind_linkat)(int, const char *, int, const char *, int);
	int answer;

	BEHIND(linkat);
	return lies_fails(LIE_LINK, &answer) ? -1 : behind_linkat(from_fd, from, to_fd, to, flags);
}

int mkdirat(int fd, const char *path, mode_t mode)
{
	static int (*behind_mkdirat)(int, const char *, mode_t);
	int answer;

	BEHIND(mkdirat);
	return lies_fails(LIE_MKDIR, &answer) ? -1 : behind_mkdirat(fd, path, mode);
}

int memfd_create(const char *name, unsigned flags)
{
	static int (*behind_memfd_create)(const char *, unsigned);
	int answer;

	BEHIND(memfd_create);
	return lies_fails(LIE_MEMFD, &answer) ? -1 : behind_memfd_create(name, flags);
}

ssize_t sendmsg(int sock, const struct msghdr *msg, int flags)
{
	static ssize_t (*behind_sendmsg)(int, const struct msghdr *, int);
	int answer;

	BEHIND(sendmsg);
	return lies_fails(LIE_SENDMSG, &answer) ? -1 : behind_sendmsg(sock, msg, flags);
}

ssize_t recvmsg(int sock, struct msghdr *msg, int flags)
{
	static ssize_t (*behind_recvmsg)(int, struct msghdr *, int);
	int answer;

	BEHIND(recvmsg);
	return lies_fails(LIE_RECVMSG, &answer) ? -1 : behind_recvmsg(sock, msg, flags);
}

/* What has no function of its own in libc.  How many arguments there are the number alone says:
 * that all six are read is what a sanitizer would complain of. */
__attribute__((no_sanitize_address)) long syscall(long number, ...)
{
	static long (*behind_syscall)(long, ...);
	const struct open_how *how;
	int answer = 0;
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	BEHIND(syscall);
	how = number == SYS_openat2 ? (const void *)a[2] : NULL;
	if (how && how->flags & O_CREAT && lies_fails(LIE_CREATE, &answer))
		return -1;
	return behind_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The store. */

static _Thread_local int lies_code; /* what the last call was told that failed */
static _Thread_local bool lies_matches;

static int lies_begin_or_end(const char *sql)
{
	int answer = 0;

	lies_code = 0;
	if (!lies)
		return 0;
	if (!strncmp(sql, "BEGIN", 5)) {
		lies_matches = !*lies->commit_text;
		lies->writing = 1;
	} else if (!strncmp(sql, "COMMIT", 6)) {
		while (__atomic_load_n(&lies->commits_held, __ATOMIC_SEQ_CST))
			usleep(500);
		answer = lies_matches ? lies_answer(LIE_COMMIT) : 0;
		lies->writing = 0;
	} else if (!strncmp(sql, "ROLLBACK", 8)) {
		lies->writing = 0;
	}
	if (answer && answer < LIE_DIES_BEFORE)
		lies_code = answer;
	return answer;
}

int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *arg,
		 char **message)
{
	static int (*behind_sqlite3_exec)(sqlite3 *, const char *,
					  int (*)(void *, int, char **, char **), void *, char **);
	int answer, rc;

	BEHIND(sqlite3_exec);
	if (lies_inside)
		return behind_sqlite3_exec(db, sql, row, arg, message);
	answer = lies_begin_or_end(sql);
	if (lies_code)
		return lies_code;
	lies_inside = true;
	rc = behind_sqlite3_exec(db, sql, row, arg, message);
	lies_inside = false;
	lies_after(answer);
	return rc;
}

int sqlite3_step(sqlite3_stmt *stmt)
{
	static int (*behind_sqlite3_step)(sqlite3_stmt *);
	int answer, rc;
	char *text;

	BEHIND(sqlite3_step);
	if (lies_inside)
		return behind_sqlite3_step(stmt);
	answer = lies_begin_or_end(sqlite3_sql(stmt));
	if (lies_code)
		return lies_code;
	if (lies && *lies->commit_text && !sqlite3_stmt_readonly(stmt)) {
		text = sqlite3_expanded_sql(stmt);
		lies_matches = lies_matches || (text && strstr(text, lies->commit_text));
		sqlite3_free(text);
	}
	lies_inside = true;
	rc = behind_sqlite3_step(stmt);
	lies_inside = false;
	lies_after(answer);
	return rc;
}

int sqlite3_errcode(sqlite3 *db)
{
	static int (*behind_sqlite3_errcode)(sqlite3 *);

	BEHIND(sqlite3_errcode);
	return lies_code ? lies_code : behind_sqlite3_errcode(db);
}

const char *sqlite3_errmsg(sqlite3 *db)
{
	static const char *(*behind_sqlite3_errmsg)(sqlite3 *);

	BEHIND(sqlite3_errmsg);
	return lies_code ? sqlite3_errstr(lies_code) : behind_sqlite3_errmsg(db);
}

/* The store in PostgreSQL. */

static void lies_break(PGconn *conn)
{
	shutdown(PQsocket(conn), SHUT_RDWR);
}

/* The server has answered, and nobody hears it. */
static void lies_break_answered(PGconn *conn)
{
	struct pollfd p = { .fd = PQsocket(conn), .events = POLLIN };
	char bytes[4096];

	while (PQflush(conn) > 0)
		;
	poll(&p, 1, 10000);
	while (recv(p.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	lies_break(conn);
}

static int lies_before_query(PGconn *conn, const char *sql)
{
	int answer;

	if (!lies)
		return 0;
	if (!strcmp(sql, "BEGIN"))
		lies->writing = 1;
	while (strstr(sql, "COMMIT") && __atomic_load_n(&lies->commits_held, __ATOMIC_SEQ_CST))
		usleep(500);
	answer = lies_answer(LIE_QUERY);
	if (answer == LIE_LOSES_BEFORE)
		lies_break(conn);
	return answer;
}

static void lies_after_query(PGconn *conn, const char *sql, int answer)
{
	if (answer == LIE_LOSES_AFTER || answer == LIE_DIES_AFTER)
		lies_break_answered(conn);
	lies_after(answer);
	if (lies && (strstr(sql, "COMMIT") || strstr(sql, "ROLLBACK")))
		lies->writing = 0;
}

int PQsendQuery(PGconn *conn, const char *sql)
{
	static int (*behind_PQsendQuery)(PGconn *, const char *);
	int answer, rc;

	BEHIND(PQsendQuery);
	answer = lies_before_query(conn, sql);
	rc = behind_PQsendQuery(conn, sql);
	lies_after_query(conn, sql, answer);
	return rc;
}

int PQsendQueryPrepared(PGconn *conn, const char *name, int n, const char *const *values,
			const int *sizes, const int *formats, int format)
{
	static int (*behind_PQsendQueryPrepared)(PGconn *, const char *, int, const char *const *,
						 const int *, const int *, int);
	int answer, rc;

	BEHIND(PQsendQueryPrepared);
	answer = lies_before_query(conn, name);
	rc = behind_PQsendQueryPrepared(conn, name, n, values, sizes, formats, format);
	lies_after_query(conn, name, answer);
	return rc;
}
