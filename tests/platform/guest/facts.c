/* The program of test_container.py.  Copies of it with a set-user-ID bit or a file capability are
 * called with "who", and print whom the kernel made of them. */

#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int facts_n;

static void fact_text(const char *text)
{
	putchar('"');
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	putchar('"');
}

void fact(const char *name, const char *fmt, ...)
{
	char value[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	printf(facts_n++ ? ",\n" : "{");
	fact_text(name);
	printf(": ");
	fact_text(value);
}

const char *fact_error(long rc)
{
	static const struct {
		int number;
		const char *name;
	} errors[] = {
		{ EPERM, "EPERM" },   { ENOENT, "ENOENT" }, { EACCES, "EACCES" },
		{ EBUSY, "EBUSY" },   { EINVAL, "EINVAL" }, { EROFS, "EROFS" },
		{ ENOSYS, "ENOSYS" }, { ENXIO, "ENXIO" },   { ENODEV, "ENODEV" },
		{ EIO, "EIO" },       { EFAULT, "EFAULT" }, { EBADF, "EBADF" },
	};
	static char other[32];

	if (rc >= 0)
		return "ok";
	for (size_t i = 0; i < COUNT(errors); i++)
		if (errors[i].number == errno)
			return errors[i].name;
	snprintf(other, sizeof(other), "errno %d", errno);
	return other;
}

void fact_call(const char *name, long rc)
{
	fact(name, "%s", fact_error(rc));
}

const char *fact_file(const char *path, char *text, unsigned long room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

	if (fd < 0 && errno == ENOENT)
		return "absent";
	if (n < 0)
		return fact_error(-1);
	close(fd);
	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	text[n] = '\0';
	return text;
}

static int facts_who(void)
{
	char line[128], status[4096];
	const char *at = strstr(fact_file("/proc/self/status", status, sizeof(status)), "CapEff:");

	snprintf(line, sizeof(line), "uid %d euid %d %.24s", getuid(), geteuid(), at ? at : "");
	line[strcspn(line, "\n")] = '\0';
	puts(line);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "who"))
		return facts_who();
	facts_process();
	facts_files();
	facts_calls();
	puts("}");
	fflush(stdout);
	return 7; /* a number that nothing else ends with */
}
