/* app.c - an application for the guest's own test: it shows over HTTP what it sees and can do.
 * One loop, keep-alive, request line and body in one piece (the test sends them so). */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOOKS       "/aws/lambda-microvms/runtime/v1/"
#define APP_CLIENTS 64

static char answer[1 << 16], last_body[8192] = "none";
static int outbound = -1;

static void app_read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, answer, sizeof(answer) - 1);

	if (n < 0)
		snprintf(answer, sizeof(answer), "error: %s", strerror(errno));
	else
		answer[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (!answer[i])
			answer[i] = '\n';
	close(fd);
}

static void app_write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	snprintf(answer, sizeof(answer), "%s",
		 fd < 0 || write(fd, "x", 1) < 0 ? strerror(errno) : "written");
	close(fd);
}

static void app_stat(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		snprintf(answer, sizeof(answer), "error: %s", strerror(errno));
	else
		snprintf(answer, sizeof(answer), "%o %u:%u size %lld", st.st_mode, st.st_uid,
			 st.st_gid, (long long)st.st_size);
}

static void app_connect(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	to.sin_addr.s_addr = inet_addr("10.0.2.2");
	outbound = socket(AF_INET, SOCK_STREAM, 0);
	snprintf(answer, sizeof(answer), "%s",
		 connect(outbound, (void *)&to, sizeof(to)) ? strerror(errno) : "connected");
}

static void app_outbound(const char *unused)
{
	char byte;
	ssize_t n = recv(outbound, &byte, 1, MSG_DONTWAIT);

	(void)unused;
	snprintf(answer, sizeof(answer), "%s", n < 0 ? strerror(errno) : n ? "data" : "end");
}

static void app_random(const char *unused)
{
	unsigned char bytes[16];

	(void)unused;
	getrandom(bytes, sizeof(bytes), 0);
	for (int i = 0; i < 16; i++)
		sprintf(answer + 2 * i, "%02x", bytes[i]);
}

static void app_time(const char *unused)
{
	(void)unused;
	snprintf(answer, sizeof(answer), "%lld", (long long)time(NULL));
}

static void app_flood(const char *megabytes)
{
	char line[4096];
	int total = atoi(megabytes) * 256;

	memset(line, 'f', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < total; i++)
		if (write(STDOUT_FILENO, line, sizeof(line)) < 0)
			break;
	snprintf(answer, sizeof(answer), "done");
}

/* Processes until no more can be made; they stay. */
static void app_bomb(const char *unused)
{
	int n = 0;
	pid_t pid;

	(void)unused;
	while ((pid = fork()) > 0)
		n++;
	if (!pid)
		for (;;)
			pause();
	snprintf(answer, sizeof(answer), "%d", n);
}

/* Memory until the kernel ends it. */
static void app_hog(const char *unused)
{
	(void)unused;
	for (;;) {
		char *more = malloc(1 << 20);

		if (more)
			memset(more, 1, 1 << 20);
	}
}

/* The same in a process beside this one. */
static void app_worker(const char *unused)
{
	(void)unused;
	if (!fork())
		app_hog(NULL);
	snprintf(answer, sizeof(answer), "started");
}

/* Everything that a process may be denied. */
static void app_rampage(const char *unused)
{
	char piece[1 << 16];
	ssize_t n = 0;
	int fd;

	(void)unused;
	kill(-1, SIGKILL);
	for (int i = 0; i < 3; i++)
		close(i);
	fd = open("/filler", O_WRONLY | O_CREAT, 0600);
	memset(piece, 'x', sizeof(piece));
	while (fd >= 0 && (n = write(fd, piece, sizeof(piece))) > 0)
		;
	snprintf(answer, sizeof(answer), "%s", n < 0 ? strerror(errno) : "no end");
	close(fd);
	unlink("/filler");
	reboot(RB_AUTOBOOT);
}

static void app_exit(const char *code)
{
	write(STDOUT_FILENO, "last words\n", 11);
	_exit(atoi(code));
}

static void app_body(const char *unused)
{
	(void)unused;
	snprintf(answer, sizeof(answer), "%s", last_body);
}

static void app_big(const char *kilobytes)
{
	size_t size = (size_t)atoi(kilobytes) * 1024;

	memset(answer, 'b', size);
	answer[size] = '\0';
}

static void app_hello(const char *unused)
{
	(void)unused;
	snprintf(answer, sizeof(answer), "hello");
}

/* POSTs its rest to the metadata's address, and answers with the first line of what comes back. */
static void app_lease(const char *rest)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char request[256];
	ssize_t n;

	at.sin_addr.s_addr = inet_addr("169.254.169.254");
	if (connect(fd, (void *)&at, sizeof(at))) {
		snprintf(answer, sizeof(answer), "%s", strerror(errno));
		close(fd);
		return;
	}
	n = snprintf(request, sizeof(request),
		     "POST /doze/lease HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
		     strlen(rest), rest);
	send(fd, request, (size_t)n, 0);
	n = recv(fd, request, sizeof(request) - 1, 0);
	request[n > 0 ? n : 0] = '\0';
	request[strcspn(request, "\r")] = '\0';
	snprintf(answer, sizeof(answer), "%s", request);
	close(fd);
}

/* Decodes in place. */
static void app_unescape(char *text)
{
	char *to = text;
	unsigned byte;

	for (; *text; text++)
		if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			text += 2;
		} else {
			*to++ = *text;
		}
	*to = '\0';
}

/* A connection to the metadata's address: by a socket of IPv4 ("4"), by one of IPv6 as Java's
 * ("6"), or by one that takes no packet with a TTL of 1 ("f", as behind a forwarder). */
static int app_metadata_dial(char how)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	struct timeval patience = { 2, 0 };
	int fd = socket(how == '6' ? AF_INET6 : AF_INET, SOCK_STREAM, 0), hops = 2;

	inet_pton(AF_INET, "169.254.169.254", &four.sin_addr);
	inet_pton(AF_INET6, "::ffff:169.254.169.254", &six.sin6_addr);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (how == 'f')
		setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof(hops));
	if (how == '6' ? connect(fd, (void *)&six, sizeof(six))
		       : connect(fd, (void *)&four, sizeof(four))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* "4/REQUEST": what the metadata's address answers to these bytes. */
static void app_metadata(const char *rest)
{
	int fd = app_metadata_dial(*rest);
	static char request[1 << 14];
	ssize_t n, got = 0;

	if (fd < 0) {
		snprintf(answer, sizeof(answer), "error: %s", strerror(errno));
		return;
	}
	snprintf(request, sizeof(request), "%s", rest + 2);
	app_unescape(request);
	send(fd, request, strlen(request), 0);
	while ((n = recv(fd, answer + got, sizeof(answer) - 1 - (size_t)got, 0)) > 0)
		got += n;
	answer[got] = '\0';
	close(fd);
}

static const struct {
	const char *prefix;
	void (*run)(const char *rest);
} app_paths[] = {
	{ "/read", app_read_file },   { "/write", app_write_file },  { "/stat", app_stat },
	{ "/connect/", app_connect }, { "/outbound", app_outbound }, { "/random", app_random },
	{ "/time", app_time },        { "/flood/", app_flood },      { "/exit/", app_exit },
	{ "/body", app_body },        { "/big/", app_big },          { "/hello", app_hello },
	{ "/bomb", app_bomb },        { "/hog", app_hog },           { "/rampage", app_rampage },
	{ "/worker", app_worker },    { "/lease/", app_lease },      { "/metadata/", app_metadata },
};

/* false: close without an answer, or leave it open for ever */
static bool app_hook(int fd, const char *name, const char *request)
{
	const char *body = strstr(request, "\r\n\r\n");
	const char *reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

	snprintf(last_body, sizeof(last_body), "%s", request);
	(void)body;
	if (!strncmp(name, "validate", 8))
		reply = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 500 Bad\r\n\r\n";
	if (!strncmp(name, "suspend", 7))
		reply = "SSH-2.0-not-http\r\n";
	if (!strncmp(name, "resume", 6))
		return true; /* never */
	write(fd, reply, strlen(reply));
	return true;
}

static bool app_serve(int fd)
{
	static char request[1 << 16];
	ssize_t n = recv(fd, request, sizeof(request) - 1, 0);
	char *path, *end;
	char head[128];

	if (n <= 0)
		return false;
	request[n] = '\0';
	path = strchr(request, ' ');
	end = path ? strchr(path + 1, ' ') : NULL;
	if (!end)
		return false;
	if (!strncmp(++path, HOOKS, strlen(HOOKS)))
		return app_hook(fd, path + strlen(HOOKS), request);
	*end = '\0';
	snprintf(answer, sizeof(answer), "no such path");
	for (size_t i = 0; i < sizeof(app_paths) / sizeof(app_paths[0]); i++) {
		size_t len = strlen(app_paths[i].prefix);

		if (!strncmp(path, app_paths[i].prefix, len)) {
			app_paths[i].run(path + len);
			break;
		}
	}
	n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		     strlen(answer));
	send(fd, head, (size_t)n, MSG_MORE);
	send(fd, answer, strlen(answer), 0);
	return true;
}

static int app_listen(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	at.sin_addr.s_addr = port == 9000 ? htonl(INADDR_LOOPBACK) : 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (void *)&at, sizeof(at)) || listen(fd, 128))
		exit(9);
	return fd;
}

int main(void)
{
	struct pollfd polls[2 + APP_CLIENTS] = { 0 };
	int n = 2;

	polls[0].fd = app_listen(8080);
	polls[1].fd = app_listen(9000);
	for (int i = 0; i < 2 + APP_CLIENTS; i++)
		polls[i].events = POLLIN;
	write(STDOUT_FILENO, "to stdout\n", 10);
	write(STDERR_FILENO, "to stderr\n", 10);
	while (poll(polls, (nfds_t)n, -1) > 0) {
		for (int i = n - 1; i >= 2; i--) {
			if (!polls[i].revents || app_serve(polls[i].fd))
				continue;
			close(polls[i].fd);
			polls[i] = polls[--n];
		}
		for (int i = 0; i < 2 && n < 2 + APP_CLIENTS; i++)
			if (polls[i].revents)
				polls[n++].fd = accept(polls[i].fd, NULL, NULL);
	}
	return 0;
}
