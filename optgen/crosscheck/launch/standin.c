/* A stand-in for NVIDIA's driver library, for tests of launchers on machines without a GPU.
 *
 * Device memory is host memory that this file has handed out. Kernels are functions of libraries
 * that were registered, found by the kernel's name: `standin_run_NAME` runs one, `standin_kinds_NAME`
 * says what each parameter is ('p' an array, 's' scratch memory, 'a' the argument struct, 'n' the
 * number of elements), `standin_sizes_NAME` how large an element of an array is, and
 * `standin_bytes_NAME` and `standin_aligned_NAME` the size and the alignment of each parameter.
 *
 * A launch is refused, and the reason kept, if its function, stream, shape or arguments are not
 * what they must be. Any function can be made to fail at its next call. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int status;
typedef uint64_t address;
#define EXPORTED __attribute__((visibility("default")))
enum { invalid_value = 1, no_memory = 2, no_device = 100, bad_device = 101, bad_image = 200,
       bad_context = 201, bad_handle = 400, not_found = 500, unsupported = 801 };
enum { DEVICES = 2, BLOCKS = 4096, STREAMS = 64, MODULES = 4096, FUNCTIONS = 16384, THREADS = 256 };

struct context { int device, retained; };
struct allocation { char *start; size_t size; int device; };
struct stream { struct context *context; };
struct module { struct context *context; char *image; size_t size; };
struct function {
  struct module *module;
  char name[256];
  void (*run)(unsigned, unsigned, void **);
  const char *kinds;
  const unsigned *sizes, *bytes, *aligned;
};

static struct context contexts[DEVICES];
static struct allocation allocations[BLOCKS];
static struct stream streams[STREAMS];
static struct module modules[MODULES];
static struct function functions[FUNCTIONS];
static void *libraries[256];
static int registered, functions_found, devices = 1, version = 13000, major = 9, initialised;
static long launches;
static size_t memory = (size_t)1 << 32, used;
static unsigned order;
static char said[4096], failing[64], launched[256];
static int failing_with;
static void *launched_on;
static unsigned launched_grid;
static __thread struct context *stack[16];
static __thread int depth;

static status fault(const char *format, const char *name, unsigned long long a, unsigned long long b) {
  const size_t length = strlen(said);
  if (length < sizeof said - 400) {
    snprintf(said + length, 400, format, name, a, b);
    strncat(said, "; ", sizeof said - strlen(said) - 1);
  }
  return invalid_value;
}

static status asked_to_fail(const char *name) {
  if (strcmp(failing, name)) return 0;
  failing[0] = 0;
  return failing_with;
}
#define BEGIN                                                                                      \
  do {                                                                                             \
    const status planned = asked_to_fail(__func__);                                                \
    if (planned) return planned;                                                                   \
    if (!initialised) return 3;                                                                    \
  } while (0)

/* What tests ask for and look at. */
EXPORTED int standin_register(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library || registered == 256) return fault("%s cannot be loaded", path, 0, 0);
  libraries[registered++] = library;
  return 0;
}
EXPORTED void standin_set(const char *what, long value) {
  if (!strcmp(what, "devices")) devices = (int)value;
  if (!strcmp(what, "version")) version = (int)value;
  if (!strcmp(what, "major")) major = (int)value;
  if (!strcmp(what, "memory")) memory = (size_t)value;
  if (!strcmp(what, "order")) order = (unsigned)value;
}
EXPORTED void standin_fail(const char *name, int with) {
  snprintf(failing, sizeof failing, "%s", name);
  failing_with = with;
}
EXPORTED const char *standin_said(void) { return said; }
EXPORTED void standin_forget(void) { said[0] = 0; }
EXPORTED long standin_launches(void) { return launches; }
EXPORTED const char *standin_last(void) { return launched; }
EXPORTED unsigned standin_last_grid(void) { return launched_grid; }
EXPORTED void *standin_last_stream(void) { return launched_on; }
EXPORTED size_t standin_used(void) { return used; }

/* Devices and contexts. */
EXPORTED status cuInit(unsigned flags) {
  const status planned = asked_to_fail(__func__);
  if (planned) return planned;
  if (flags) return invalid_value;
  if (!devices) return no_device;
  for (int i = 0; i < DEVICES; ++i) contexts[i].device = i;
  initialised = 1;
  return 0;
}
EXPORTED status cuDriverGetVersion(int *found) { *found = version; return 0; }
EXPORTED status cuDeviceGetCount(int *found) { BEGIN; *found = devices; return 0; }
EXPORTED status cuDeviceGet(int *found, int ordinal) {
  BEGIN;
  if (ordinal < 0 || ordinal >= devices) return bad_device;
  *found = ordinal;
  return 0;
}
EXPORTED status cuDeviceGetName(char *name, int size, int device) {
  BEGIN;
  snprintf(name, size, "stand-in %d (no GPU)", device);
  return 0;
}
EXPORTED status cuDeviceGetAttribute(int *found, int which, int device) {
  BEGIN;
  if (device < 0 || device >= devices) return bad_device;
  switch (which) {
    case 75: *found = major; break;
    case 76: *found = 0; break;
    case 16: *found = 3; break;       /* multiprocessors */
    case 1: *found = 1024; break;     /* threads per block */
    case 39: *found = 2048; break;    /* threads per multiprocessor */
    case 10: *found = 32; break;      /* threads per warp */
    case 12: *found = 65536; break;   /* registers per block */
    case 8: *found = 49152; break;    /* shared memory per block */
    default: *found = 1;
  }
  return 0;
}
EXPORTED status cuDeviceComputeCapability(int *high, int *low, int device) {
  BEGIN;
  (void)device;
  *high = major, *low = 0;
  return 0;
}
EXPORTED status cuDevicePrimaryCtxRelease_v2(int device) { BEGIN; contexts[device].retained--; return 0; }
EXPORTED status cuDevicePrimaryCtxRelease(int device) { return cuDevicePrimaryCtxRelease_v2(device); }
EXPORTED status cuDevicePrimaryCtxRetain(struct context **found, int device) {
  BEGIN;
  if (device < 0 || device >= devices) return bad_device;
  contexts[device].retained++;
  *found = &contexts[device];
  return 0;
}
EXPORTED status cuCtxGetCurrent(struct context **found) {
  BEGIN;
  *found = depth ? stack[depth - 1] : NULL;
  return 0;
}
EXPORTED status cuCtxPushCurrent_v2(struct context *context) {
  BEGIN;
  if (context < contexts || context >= contexts + devices || !context->retained || depth == 16)
    return bad_context;
  stack[depth++] = context;
  return 0;
}
EXPORTED status cuCtxPopCurrent_v2(struct context **found) {
  BEGIN;
  if (!depth) return bad_context;
  *found = stack[--depth];
  return 0;
}
EXPORTED status cuCtxDetach(struct context *context) { BEGIN; (void)context; return 0; }
EXPORTED status cuCtxGetDevice(int *device) {
  BEGIN;
  if (!depth) return bad_context;
  *device = stack[depth - 1]->device;
  return 0;
}
static struct context *current(void) { return depth ? stack[depth - 1] : NULL; }

/* Memory. Addresses handed out are followed by a page that belongs to nobody. */
static struct allocation *allocation_of(address at) {
  for (int i = 0; i < BLOCKS; ++i) {
    struct allocation *found = &allocations[i];
    if (found->start && at >= (address)found->start && at < (address)found->start + found->size)
      return found;
  }
  return NULL;
}
EXPORTED status cuMemAlloc_v2(address *found, size_t size) {
  BEGIN;
  if (!current()) return bad_context;
  if (!size) return invalid_value;
  if (used + size > memory) return no_memory;
  for (int i = 0; i < BLOCKS; ++i) {
    if (allocations[i].start) continue;
    void *start;
    if (posix_memalign(&start, 256, size + 4096)) return no_memory;
    memset(start, 0xff, size + 4096); /* not a number, in every type */
    allocations[i] = (struct allocation){start, size, current()->device};
    used += size;
    *found = (address)start;
    return 0;
  }
  return no_memory;
}
EXPORTED status cuMemFree_v2(address at) {
  BEGIN;
  struct allocation *found = allocation_of(at);
  if (!found || (address)found->start != at) return invalid_value;
  for (size_t i = 0; i < 4096; ++i)
    if ((unsigned char)found->start[found->size + i] != 0xff) {
      fault("%s: something was written behind an array of %llu bytes", "cuMemFree", found->size, 0);
      break;
    }
  used -= found->size;
  free(found->start);
  found->start = NULL;
  return 0;
}
static int holds(address at, size_t size) {
  const struct allocation *found = allocation_of(at);
  return found && at + size <= (address)found->start + found->size;
}
EXPORTED status cuMemcpyHtoD_v2(address to, const void *from, size_t size) {
  BEGIN;
  if (!current() || !holds(to, size)) return invalid_value;
  memcpy((void *)to, from, size);
  return 0;
}
EXPORTED status cuMemcpyDtoH_v2(void *to, address from, size_t size) {
  BEGIN;
  if (!current() || !holds(from, size)) return invalid_value;
  memcpy(to, (void *)from, size);
  return 0;
}
EXPORTED status cuMemcpyDtoD_v2(address to, address from, size_t size) {
  BEGIN;
  if (!current() || !holds(from, size) || !holds(to, size)) return invalid_value;
  memmove((void *)to, (void *)from, size);
  return 0;
}
EXPORTED status cuPointerGetAttribute(void *found, int which, address at) {
  BEGIN;
  const struct allocation *known = allocation_of(at);
  if (!known) return invalid_value;
  if (which == 2) *(unsigned *)found = 2;
  else if (which == 9) *(int *)found = known->device;
  else if (which == 11) *(address *)found = (address)known->start;
  else if (which == 12) *(size_t *)found = known->size;
  else return invalid_value;
  return 0;
}

/* Streams. */
EXPORTED status cuStreamCreate(struct stream **found, unsigned flags) {
  BEGIN;
  (void)flags;
  for (int i = 0; i < STREAMS; ++i)
    if (!streams[i].context && current()) {
      streams[i].context = current();
      *found = &streams[i];
      return 0;
    }
  return bad_context;
}
EXPORTED status cuStreamDestroy_v2(struct stream *stream) {
  BEGIN;
  stream->context = NULL;
  return 0;
}
static int is_stream(const struct stream *stream) {
  return stream >= streams && stream < streams + STREAMS && stream->context;
}
EXPORTED status cuStreamGetCtx(struct stream *stream, struct context **found) {
  BEGIN;
  if (!is_stream(stream)) return bad_handle;
  *found = stream->context;
  return 0;
}
EXPORTED status cuStreamSynchronize(struct stream *stream) {
  BEGIN;
  return (uintptr_t)stream > 2 && !is_stream(stream) ? bad_handle : 0;
}

/* Events: when they were recorded, since everything is done at once. */
EXPORTED status cuEventCreate(double **found, unsigned flags) {
  BEGIN;
  if (!current() || flags) return bad_context;
  *found = calloc(1, sizeof **found);
  return *found ? 0 : no_memory;
}
EXPORTED status cuEventRecord(double *event, struct stream *stream) {
  BEGIN;
  struct timespec now;
  if ((uintptr_t)stream > 2 && !is_stream(stream)) return bad_handle;
  clock_gettime(CLOCK_MONOTONIC, &now);
  *event = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  return 0;
}
EXPORTED status cuEventSynchronize(double *event) { BEGIN; return *event ? 0 : bad_handle; }
EXPORTED status cuEventElapsedTime(float *milliseconds, double *start, double *end) {
  BEGIN;
  if (!*start || !*end) return bad_handle;
  *milliseconds = (float)(1000 * (*end - *start));
  return 0;
}
EXPORTED status cuEventDestroy_v2(double *event) { BEGIN; free(event); return 0; }

/* Modules and kernels. */
static size_t image_size(const unsigned char *image) {
  if (!memcmp(image, "\177ELF", 4)) {
    uint64_t sections;
    uint16_t size, count;
    memcpy(&sections, image + 40, 8), memcpy(&size, image + 58, 2), memcpy(&count, image + 60, 2);
    return sections + (size_t)size * count;
  }
  return memcmp(image, "//", 2) && memcmp(image, ".version", 8) ? 0 : strlen((const char *)image);
}
EXPORTED status cuModuleLoadData(struct module **found, const void *image) {
  BEGIN;
  const size_t size = image_size(image);
  if (!current()) return bad_context;
  if (!size) return bad_image;
  for (int i = 0; i < MODULES; ++i)
    if (!modules[i].image) {
      modules[i] = (struct module){current(), malloc(size), size};
      memcpy(modules[i].image, image, size);
      *found = &modules[i];
      return 0;
    }
  return no_memory;
}
EXPORTED status cuModuleLoadDataEx(
    struct module **found, const void *image, unsigned count, void *options, void **values) {
  (void)count, (void)options, (void)values;
  return cuModuleLoadData(found, image);
}
EXPORTED status cuModuleUnload(struct module *module) {
  BEGIN;
  free(module->image);
  module->image = NULL;
  return 0;
}
static const void *part_of(void *library, const char *what, const char *name) {
  char spelled[300];
  snprintf(spelled, sizeof spelled, "standin_%s_%s", what, name);
  return dlsym(library, spelled);
}
EXPORTED status cuModuleGetFunction(struct function **found, struct module *module, const char *name) {
  BEGIN;
  if (!module || module->context != current()) return bad_context;
  if (!memmem(module->image, module->size, name, strlen(name))) return not_found;
  if (functions_found == FUNCTIONS) return no_memory;
  for (int i = registered; i-- > 0;) {
    struct function *next = &functions[functions_found];
    *(const void **)&next->run = part_of(libraries[i], "run", name);
    next->kinds = part_of(libraries[i], "kinds", name);
    next->sizes = part_of(libraries[i], "sizes", name);
    const unsigned *const *bytes = part_of(libraries[i], "bytes", name);
    const unsigned *const *aligned = part_of(libraries[i], "aligned", name);
    if (!next->run || !next->kinds || !next->sizes || !bytes || !aligned) continue;
    next->bytes = *bytes, next->aligned = *aligned;
    next->module = module;
    snprintf(next->name, sizeof next->name, "%s", name);
    ++functions_found;
    *found = next;
    return 0;
  }
  return not_found;
}
EXPORTED status cuOccupancyMaxActiveBlocksPerMultiprocessor(
    int *found, struct function *function, int threads, size_t shared) {
  BEGIN;
  if (function < functions || function >= functions + functions_found) return bad_handle;
  if (threads != THREADS || shared) return invalid_value;
  *found = 2;
  return 0;
}

/* PyCUDA says this before each launch, which says it again. */
EXPORTED status cuFuncSetBlockShape(struct function *function, int x, int y, int z) {
  BEGIN;
  (void)function;
  return x == THREADS && y == 1 && z == 1 ? 0 : invalid_value;
}
EXPORTED status cuFuncGetAttribute(int *found, int which, struct function *function) {
  BEGIN;
  if (function < functions || function >= functions + functions_found) return bad_handle;
  *found = which == 4 ? 32 : which == 0 ? 1024 : 0; /* registers; threads per block */
  return 0;
}

/* Arguments in one buffer, as CU_LAUNCH_PARAM_BUFFER_POINTER (1) and _SIZE (2) pass them. */
static status unpack(const struct function *function, void **extra, void **places) {
  char *buffer = NULL;
  size_t size = 0, at = 0;
  for (; *extra; extra += 2) {
    if (*extra == (void *)1) buffer = extra[1];
    if (*extra == (void *)2) size = *(size_t *)extra[1];
  }
  for (size_t i = 0; i < strlen(function->kinds); ++i) {
    at = (at + function->aligned[i] - 1) / function->aligned[i] * function->aligned[i];
    places[i] = buffer + at;
    at += function->bytes[i];
  }
  if (!buffer || at != size)
    return fault("%s: %llu bytes of arguments instead of %llu", function->name, size, at);
  return 0;
}

static status wrong_arguments(const struct function *function, void **given, const int device) {
  uint64_t n = 0;
  const size_t count = strlen(function->kinds);
  for (size_t i = 0; i < count; ++i) {
    if (!given[i]) return fault("%s: parameter %llu has no place", function->name, i, 0);
    if (function->kinds[i] == 'n') memcpy(&n, given[i], sizeof n);
  }
  for (size_t i = 0; i < count; ++i) {
    address at;
    const char kind = function->kinds[i];
    if (kind != 'p' && kind != 's') continue;
    memcpy(&at, given[i], sizeof at);
    const struct allocation *found = allocation_of(at);
    if (!found) return fault("%s: parameter %llu, %llx, is no device memory", function->name, i, at);
    if (found->device != device)
      return fault("%s: parameter %llu lies on device %llu", function->name, i, found->device);
    if (kind == 'p' && !holds(at, n * function->sizes[i]))
      return fault("%s: parameter %llu has no room for %llu elements", function->name, i, n);
    for (size_t other = 0; other < i; ++other) {
      address before;
      if (function->kinds[other] != 'p' || kind != 'p') continue;
      memcpy(&before, given[other], sizeof before);
      if (before < at + n * function->sizes[i] && at < before + n * function->sizes[other])
        return fault("%s: parameters %llu and %llu overlap", function->name, other, i);
    }
  }
  return 0;
}
EXPORTED status cuLaunchKernel(
    struct function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
    unsigned bz, unsigned shared, struct stream *stream, void **given, void **extra) {
  BEGIN;
  static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
  if (function < functions || function >= functions + functions_found) return bad_handle;
  if (!current() || function->module->context != current())
    return fault("%s: launched outside of its module's context%llu%llu", function->name, 0, 0);
  if (gx < 1 || gy != 1 || gz != 1 || bx != THREADS || by != 1 || bz != 1 || shared)
    return fault("%s: a grid of %llu blocks of %llu threads", function->name, gx, bx);
  if ((uintptr_t)stream > 2 && (!is_stream(stream) || stream->context != current()))
    return fault("%s: launched on a stream of another context%llu%llu", function->name, 0, 0);
  void *places[64];
  if (!given) {
    const status unfit = extra ? unpack(function, extra, places) : invalid_value;
    if (unfit) return unfit;
    given = places;
  }
  const status wrong = wrong_arguments(function, given, current()->device);
  if (wrong) return wrong;
  pthread_mutex_lock(&one_at_a_time);
  ++launches;
  snprintf(launched, sizeof launched, "%s", function->name);
  launched_on = stream;
  launched_grid = gx;
  function->run(gx, order, given);
  pthread_mutex_unlock(&one_at_a_time);
  return 0;
}

EXPORTED status cuGetErrorName(int error, const char **text) {
  *text = error == no_memory ? "CUDA_ERROR_OUT_OF_MEMORY" : error ? "STANDIN_ERROR" : "CUDA_SUCCESS";
  return 0;
}
EXPORTED status cuGetErrorString(int error, const char **text) {
  *text = error ? "the stand-in refuses" : "no error";
  return 0;
}
/* NVRTC asks for this where it finds a driver. */
EXPORTED status cuGetExportTable(const void **table, const void *identifier) {
  (void)identifier;
  *table = NULL;
  return unsupported;
}
