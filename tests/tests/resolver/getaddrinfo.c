/* Prints the addresses of each name, as the C library that this is linked with finds them. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    for (int at = 1; at < argc; at++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
        int error = getaddrinfo(argv[at], NULL, &hints, &found);
        if (error) {
            printf("%s: %s\n", argv[at], gai_strerror(error));
            continue;
        }
        for (; found; found = found->ai_next) {
            char text[INET6_ADDRSTRLEN];
            const void *ip = found->ai_family == AF_INET6
                ? (const void *)&((struct sockaddr_in6 *)found->ai_addr)->sin6_addr
                : (const void *)&((struct sockaddr_in *)found->ai_addr)->sin_addr;
            printf("%s %s\n", argv[at], inet_ntop(found->ai_family, ip, text, sizeof text));
        }
    }
    return 0;
}
