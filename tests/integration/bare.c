/* A server that needs nothing of its image: it says on port 8080 what it sees there. */

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	static const char *const paths[] = { "/bin/sh", "/etc/passwd", "/tmp", "/lib" };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int on = 1, server = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(server, (struct sockaddr *)&any, sizeof(any)) || listen(server, 16))
		return 1;
	for (;;) {
		int client = accept(server, NULL, NULL);
		char request[4096], body[512], answer[1024];
		int n = snprintf(body, sizeof(body), "{\"pid\":%d,\"uid\":%d", getpid(),
				 (int)getuid());

		for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
			n += snprintf(body + n, sizeof(body) - (size_t)n, ",\"%s\":%s", paths[i],
				      access(paths[i], F_OK) ? "false" : "true");
		n += snprintf(body + n, sizeof(body) - (size_t)n, "}");
		if (client >= 0 && read(client, request, sizeof(request)) > 0) {
			int size = snprintf(answer, sizeof(answer),
					    "HTTP/1.1 200 OK\r\nConnection: close\r\n"
					    "Content-Type: application/json\r\n"
					    "Content-Length: %d\r\n\r\n%s",
					    n, body);

			if (write(client, answer, (size_t)size) < 0)
				return 1;
		}
		close(client);
	}
}
