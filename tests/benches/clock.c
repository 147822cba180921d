// Tells what it costs to read the time of day, in nanoseconds: by libc, and by a system call that
// libc does not make.

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double monotonic(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(void)
{
	const int calls = 100000, raw_calls = 10000;
	struct timespec now;
	double start = monotonic();
	for (int i = 0; i < calls; i++)
		clock_gettime(CLOCK_REALTIME, &now);
	printf("libc %f\n", (monotonic() - start) / calls);
	start = monotonic();
	for (int i = 0; i < raw_calls; i++)
		syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	printf("raw %f\n", (monotonic() - start) / raw_calls);
	return 0;
}
