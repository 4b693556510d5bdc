/* setns there, TUNSETIFF, setns back. */
#include "tests/net/tapwire/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int make(const char *ifname, const uint8_t mac[6], const char **ret_step)
{
	struct ifreq request = {0};
	int fd;

	*ret_step = "open /dev/net/tun";
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	request.ifr_flags = IFF_TAP | IFF_NO_PI;
	*ret_step = "make the interface";
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		goto fail;
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	*ret_step = "set its address";
	if (ioctl(fd, SIOCSIFHWADDR, &request) < 0)
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

int tap_open(const char *netns, const char *ifname, const uint8_t mac[6], char *ret_error,
	     size_t error_size)
{
	const char *step = "open the namespace";
	int there = -1, fd = -1, home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home >= 0)
		there = open(netns, O_RDONLY | O_CLOEXEC);
	if (there >= 0) {
		step = "enter the namespace";
		if (setns(there, CLONE_NEWNET) == 0)
			fd = make(ifname, mac, &step);
	}
	if (fd < 0)
		snprintf(ret_error, error_size, "%s, %s: can't %s: %s", netns, ifname, step,
			 strerror(errno));
	if (there >= 0) {
		if (setns(home, CLONE_NEWNET) != 0)
			abort(); /* nothing may be done in a stranger's namespace */
		close(there);
	}
	if (home >= 0)
		close(home);
	return fd;
}
