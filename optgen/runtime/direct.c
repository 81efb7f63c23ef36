/* Calls one rule's compiled C on the arrays of an earlier call, with no Python in between.
 *
 * An optimizer steps the same parameters and states again and again. What was checked of them
 * once need not be checked again as long as every array is the object it was and its memory,
 * type, shape and flags are what they were; gradients are looked at anew each time. Whatever
 * is not as expected is left to the checks in Python: then nothing is changed and 1 is returned.
 *
 * Everything here runs while Python's global lock is held, except for the kernel itself.
 * Python is reached through pointers that it hands over, so that neither its headers nor its
 * library are needed; all of them belong to its stable ABI. Fields of arrays are read where
 * NumPy keeps them, and items of lists and tuples where CPython does (asking for each took a
 * fifth of a call for 500 tensors); optgen.runtime.direct looks at some that it knows first, and
 * does without this file where they are not found there. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct object {
  intptr_t references;
  const void *type;
};

struct array { /* NumPy's PyArrayObject, as long as anything has been compiled against it */
  struct object head;
  char *data;
  int dimensions;
  const intptr_t *shape, *strides;
  const void *base, *descr;
  int flags;
};

struct list { /* CPython's PyListObject */
  struct object head;
  intptr_t size;
  const void *const *items;
};

struct tuple { /* and its PyTupleObject */
  struct object head;
  intptr_t size;
  const void *items[];
};

struct known { /* what an array was when it was checked */
  const struct array *array;
  const char *data;
  const void *descr;
  intptr_t flags;
};

struct python {
  const void *list, *tuple, *dict, *array; /* types */
  const void *(*dict_item)(const void *, const void *);
  int (*dict_next)(const void *, intptr_t *, const void **, const void **);
  void (*forget_error)(void);
  void *(*release)(void);
  void (*acquire)(void *);
  void (*hold)(const void *);
  void (*drop)(const void *);
};

struct plan {
  const struct python *python;
  int (*host)(const double *, double, double, double *, void *);
  void (*entry)(uint64_t, const uint64_t *, void *const *, const void *, void *, int);
  uint64_t several;             /* whether lists are expected */
  uint64_t tensors;
  uint64_t states, cells;       /* per tensor; the last cell counts steps */
  const void *const *names;     /* of states, then cells */
  const struct known *known;    /* per tensor: parameter, states, cells */
  const intptr_t *shapes;       /* per tensor: dimensions, then each */
  const uint64_t *n;
  const void **gradients;       /* of this call */
  char **pointers;              /* rows: parameters, gradients, each state */
  uint64_t spans;               /* of memory that is written, ascending */
  const char *const *starts, *const *ends;
  uint64_t args_size;
  char *args;
  double *scalars;              /* per tensor: new scalar states */
  int64_t *steps;               /* per tensor: those done before this call */
  void *work;
  const void *grad_descr;       /* the type of gradients */
  uint64_t grad_item;           /* bytes per element of theirs */
  uint64_t total;               /* elements */
  uint64_t keeps_lock_up_to;    /* elements for which other threads wait */
  uint64_t alive, busy;
};

enum { CONTIGUOUS = 1, ALIGNED = 0x100 };

static int is_list_of(const struct python *python, const void *list, const uint64_t size) {
  const void *type = ((const struct object *)list)->type;
  if (type != python->list && type != python->tuple) return 0;
  return (uint64_t)((const struct list *)list)->size == size; /* a tuple keeps it there too */
}

/* An item of a list or tuple. Looking up a key can run anybody's comparison, and that can make a
 * list shorter: then NULL. */
static const void *item(const struct python *python, const void *list, const uint64_t at) {
  const struct list *items = list;
  if (items->head.type == python->tuple) return ((const struct tuple *)list)->items[at];
  return at < (uint64_t)items->size ? items->items[at] : NULL;
}

static int has_shape(const struct array *array, const intptr_t *shape) {
  if (array->dimensions != shape[0]) return 0;
  for (int i = 0; i < array->dimensions; ++i)
    if (array->shape[i] != shape[i + 1]) return 0;
  return 1;
}

static int is_known(const struct known *known, const struct array *array) {
  return array == known->array && array->data == known->data && array->descr == known->descr &&
    array->flags == known->flags;
}

static int overlaps(const struct plan *plan, const char *data, const uint64_t size) {
  uint64_t low = 0, high = plan->spans; /* the first span that ends behind data */
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (plan->ends[middle] > data) high = middle;
    else low = middle + 1;
  }
  return size && low < plan->spans && plan->starts[low] < data + size;
}

/* The part of a state of that number, or NULL. Most states list their parts in the order in which
 * they were made: then the next entry is the one, and no key has to be looked up. */
static const struct array *part_of(
    const struct plan *plan, const void *state, const uint64_t part, intptr_t *position) {
  const struct python *python = plan->python;
  const void *key, *value;
  if (*position >= 0 && python->dict_next(state, position, &key, &value) && key == plan->names[part])
    return value;
  *position = -1;
  value = python->dict_item(state, plan->names[part]);
  if (!value) python->forget_error();
  return value;
}

/* whether one tensor is what it was; its gradient may be another */
static int is_same_tensor(
    struct plan *plan, const uint64_t tensor, const intptr_t *shape, const struct array *param,
    const struct array *grad, const void *state) {
  const struct python *python = plan->python;
  const uint64_t parts = plan->states + plan->cells;
  const struct known *known = plan->known + tensor * (1 + parts);
  if (!param || !grad || !state) return 0;
  if (!is_known(known, param) || !has_shape(param, shape)) return 0;
  if (((const struct object *)state)->type != python->dict) return 0;
  intptr_t position = 0;
  for (uint64_t part = 0; part < parts; ++part) {
    const struct array *array = part_of(plan, state, part, &position);
    if (!array) return 0;
    if (!is_known(known + 1 + part, array)) return 0;
    if (part < plan->states ? !has_shape(array, shape) : array->dimensions != 0) return 0;
  }
  int64_t step;
  memcpy(&step, known[parts].data, sizeof step);
  if (step < 0 || step >= INT64_C(1) << 53) return 0;
  plan->steps[tensor] = step;
  if (grad->head.type != python->array || grad->descr != plan->grad_descr) return 0;
  if ((grad->flags & (CONTIGUOUS | ALIGNED)) != (CONTIGUOUS | ALIGNED)) return 0;
  if (!has_shape(grad, shape)) return 0;
  plan->gradients[tensor] = grad;
  char **place = plan->pointers + plan->tensors + tensor;
  if (*place != grad->data) {
    if (overlaps(plan, grad->data, plan->n[tensor] * plan->grad_item)) return 0;
    *place = grad->data;
  }
  return 1;
}

/* Host values of every tensor, and the new cells. Tensors whose cells and sizes are those of
 * the tensor before have its values. Only hyperparameters can be refused, so the first tensor
 * is refused or none. */
static int count_and_compute(struct plan *plan, const double *hyperparameters) {
  const uint64_t parts = 1 + plan->states + plan->cells, scalars = plan->cells - 1;
  const uint64_t size = scalars * sizeof(double);
  double before[8]; /* scalar states of the tensor before; more than 8 have no shortcut */
  for (uint64_t tensor = 0; tensor < plan->tensors; ++tensor) {
    const struct known *cells = plan->known + tensor * parts + 1 + plan->states;
    char *args = plan->args + tensor * plan->args_size;
    double *values = plan->scalars + tensor * scalars;
    const int64_t step = plan->steps[tensor];
    for (uint64_t i = 0; i < scalars; ++i) memcpy(values + i, cells[i].data, sizeof *values);
    const int same = tensor && scalars <= 8 && step == plan->steps[tensor - 1] &&
      plan->n[tensor] == plan->n[tensor - 1] && !(size && memcmp(before, values, size));
    if (size && scalars <= 8) memcpy(before, values, size);
    if (same) {
      memcpy(args, args - plan->args_size, plan->args_size);
      if (size) memcpy(values, values - scalars, size);
    } else if (plan->host(hyperparameters, (double)(step + 1), (double)plan->n[tensor], values, args))
      return 0;
  }
  for (uint64_t tensor = 0; tensor < plan->tensors; ++tensor) {
    const struct known *cells = plan->known + tensor * parts + 1 + plan->states;
    const double *values = plan->scalars + tensor * scalars;
    const int64_t step = plan->steps[tensor] + 1;
    for (uint64_t i = 0; i < scalars; ++i)
      memcpy((char *)cells[i].data, values + i, sizeof *values);
    memcpy((char *)cells[scalars].data, &step, sizeof step);
  }
  return 1;
}

/* No other thread may free an array of the call while it runs without the lock. */
static void for_each_array(const struct plan *plan, void (*function)(const void *)) {
  const uint64_t arrays = plan->tensors * (1 + plan->states + plan->cells);
  for (uint64_t at = 0; at < arrays; ++at) function(plan->known[at].array);
  for (uint64_t tensor = 0; tensor < plan->tensors; ++tensor) function(plan->gradients[tensor]);
}

static void run(struct plan *plan, const int threads) {
  plan->entry(plan->tensors, plan->n, (void *const *)plan->pointers, plan->args, plan->work, threads);
}

/* One step. Returns 0, or 1 where Python has to look; then nothing has changed. */
int optgen_direct(
    struct plan *plan, const void *param, const void *grad, const void *state,
    const double *hyperparameters, const int threads) {
  const struct python *python = plan->python;
  const intptr_t *shape = plan->shapes;
  if (!plan->alive || plan->busy) return 1;
  if (plan->several) {
    if (!is_list_of(python, param, plan->tensors)) return 1;
    if (!is_list_of(python, grad, plan->tensors)) return 1;
    if (!is_list_of(python, state, plan->tensors)) return 1;
    for (uint64_t tensor = 0; tensor < plan->tensors; ++tensor) {
      if (!is_same_tensor(plan, tensor, shape, item(python, param, tensor),
                          item(python, grad, tensor), item(python, state, tensor)))
        return 1;
      shape += 1 + shape[0];
    }
  } else if (!is_same_tensor(plan, 0, shape, param, grad, state))
    return 1;
  if (!count_and_compute(plan, hyperparameters)) return 1;
  if (plan->total <= plan->keeps_lock_up_to) {
    run(plan, threads);
    return 0;
  }
  plan->busy = 1;
  for_each_array(plan, python->hold);
  void *thread = python->release();
  run(plan, threads);
  python->acquire(thread);
  for_each_array(plan, python->drop);
  plan->busy = 0;
  return 0;
}
