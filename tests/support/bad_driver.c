/* A Vulkan driver that hands everything on to another one, BAD_DRIVER, but for the call BAD_CALL: there it does what
 * BAD_ACTION says once it was called BAD_AFTER times. abort, hang, lost (the call returns VK_ERROR_DEVICE_LOST), or gone: in every process after the first
 * one that wrote its number into the file BAD_FILE, there is no such device. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*Function)(void);
typedef Function (*Lookup)(void *, const char *);

static void *driver(void) {
    static void *library;
    if (!library) library = dlopen(getenv("BAD_DRIVER"), RTLD_NOW | RTLD_LOCAL);
    return library;
}

static int calls;
static long (*right_call)(long, long, long, long, long, long); /* BAD_CALL of the other driver */

static long bad(long a, long b, long c, long d, long e, long f) {
    const char *action = getenv("BAD_ACTION"), *after = getenv("BAD_AFTER");
    if (after && calls++ < atoi(after)) return right_call(a, b, c, d, e, f);
    if (!strcmp(action, "abort")) {
        fputs("the bad driver gives up\n", stderr);
        abort();
    }
    while (!strcmp(action, "hang")) pause();
    return !strcmp(action, "lost") ? -4 : -9;
}

static int gone(void) {
    const char *name = getenv("BAD_FILE");
    int first = 0;
    FILE *file = name ? fopen(name, "r") : 0;
    if (!name) return 0;
    if (file) {
        if (fscanf(file, "%d", &first) != 1) first = 0;
        fclose(file);
        return first != getpid();
    }
    file = fopen(name, "w");
    fprintf(file, "%d", getpid());
    fclose(file);
    return 0;
}

static int is_bad(const char *name) {
    const char *call = getenv("BAD_CALL");
    if (!call || strcmp(name, call)) return 0;
    return strcmp(getenv("BAD_ACTION"), "gone") || gone();
}

static Lookup right_of_device;

static Function of_device(void *device, const char *name) {
    Function right = right_of_device(device, name);
    if (!is_bad(name)) return right;
    right_call = (void *)right;
    return (Function)bad;
}

Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    Function right = ((Lookup)dlsym(driver(), "vk_icdGetInstanceProcAddr"))(instance, name);
    if (is_bad(name)) return (Function)bad;
    if (strcmp(name, "vkGetDeviceProcAddr")) return right;
    right_of_device = (Lookup)right;
    return (Function)of_device;
}

Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
    return ((Lookup)dlsym(driver(), "vk_icdGetPhysicalDeviceProcAddr"))(instance, name);
}

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    return ((int (*)(uint32_t *))dlsym(driver(), "vk_icdNegotiateLoaderICDInterfaceVersion"))(version);
}
