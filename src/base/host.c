#include "base/host.h"

#include <fcntl.h>

#include "base/io.h"

int host_boot_id(char out[UUID_SIZE], struct err *e)
{
	autoclose int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || io_read_full(fd, out, UUID_SIZE - 1))
		return err_sys(e, "read the host's boot id");
	out[UUID_SIZE - 1] = '\0';
	return 0;
}
