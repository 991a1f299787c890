#include "cli/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

static struct {
	bool raw;
	struct termios before;
} terminal;

static const int terminal_waited[] = { SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT };
static const int terminal_faults[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };

void terminal_restore(void)
{
	if (terminal.raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.before);
	terminal.raw = false;
}

void terminal_die(int signal_)
{
	sigset_t all;

	terminal_restore();
	signal(signal_, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	kill(getpid(), signal_);
	_exit(128 + signal_);
}

void terminal_raw(void)
{
	struct termios raw;

	if (terminal.raw || tcgetattr(STDIN_FILENO, &terminal.before))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(terminal_faults); i++)
		signal(terminal_faults[i], terminal_die);
	raw = terminal.before;
	cfmakeraw(&raw);
	terminal.raw = true;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

bool terminal_size(unsigned *columns, unsigned *rows)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
		return false;
	*columns = size.ws_col;
	*rows = size.ws_row;
	return true;
}

int terminal_signals(struct err *e)
{
	sigset_t waited;
	int fd;

	sigemptyset(&waited);
	for (size_t i = 0; i < ARRAY_SIZE(terminal_waited); i++)
		sigaddset(&waited, terminal_waited[i]);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &waited, NULL);
	fd = signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, "wait for signals") : fd;
}

int terminal_signal(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}
