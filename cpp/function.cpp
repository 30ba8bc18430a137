// SPDX-License-Identifier: BSD-3-Clause
#include "function.hpp"

#include <structmember.h>

#include <cstddef>

#include "evaluate.hpp"

namespace fastloss {
namespace {

constexpr Py_ssize_t kMaxNames = 32;

struct Function {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* attributes;
  PyObject* weak_references;
  PyObject* names;     // interned: positional, then keyword-only
  PyObject* defaults;  // of the keyword-only ones
  const Loss* loss;
  int method;
};

Function* as_function(PyObject* self) { return reinterpret_cast<Function*>(self); }

/// The place of a keyword, or -1. The last ones, `out` before all, are given the most.
Py_ssize_t find(PyObject* names, PyObject* keyword) {
  const Py_ssize_t last = PyTuple_GET_SIZE(names) - 1;
  for (Py_ssize_t i = last; i >= 0; --i) {
    if (PyTuple_GET_ITEM(names, i) == keyword) return i;
  }
  for (Py_ssize_t i = last; i >= 0; --i) {  // not interned
    if (PyUnicode_Compare(PyTuple_GET_ITEM(names, i), keyword) == 0) return i;
  }
  return -1;
}

PyObject* call(PyObject* self, PyObject* const* given, std::size_t flags, PyObject* keywords) {
  const Function& f = *as_function(self);
  const Py_ssize_t count = PyTuple_GET_SIZE(f.names);
  const Py_ssize_t keyword_only = PyTuple_GET_SIZE(f.defaults);
  const Py_ssize_t positional = count - keyword_only;
  const Py_ssize_t given_positional = PyVectorcall_NARGS(flags);
  const auto refuse = [&](const char* format, auto... details) -> PyObject* {
    PyObject* name = PyObject_GetAttrString(self, "__qualname__");
    if (name != nullptr) PyErr_Format(PyExc_TypeError, format, name, details...);
    Py_XDECREF(name);
    return nullptr;
  };
  if (given_positional > positional) {
    return refuse("%U() takes %zd positional arguments but %zd were given", positional,
                  given_positional);
  }
  PyObject* values[kMaxNames];
  for (Py_ssize_t i = 0; i < given_positional; ++i) values[i] = given[i];
  for (Py_ssize_t i = given_positional; i < positional; ++i) values[i] = nullptr;
  for (Py_ssize_t i = 0; i < keyword_only; ++i) {
    values[positional + i] = PyTuple_GET_ITEM(f.defaults, i);
  }
  const Py_ssize_t keyword_count = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  for (Py_ssize_t i = 0; i < keyword_count; ++i) {
    PyObject* keyword = PyTuple_GET_ITEM(keywords, i);
    const Py_ssize_t place = find(f.names, keyword);
    if (place < 0) return refuse("%U() got an unexpected keyword argument '%U'", keyword);
    if (place < given_positional) {
      return refuse("%U() got multiple values for argument '%U'", keyword);
    }
    values[place] = given[given_positional + i];
  }
  for (Py_ssize_t i = given_positional; i < positional; ++i) {
    if (values[i] == nullptr) {
      return refuse("%U() missing required argument: '%U'", PyTuple_GET_ITEM(f.names, i));
    }
  }
  return evaluate(*f.loss, f.method, values);
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  int number, method;
  PyObject *positional, *keyword_only;
  const char* const names[] = {"loss", "method", "arguments", "keywords", nullptr};
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "iiO!O!", const_cast<char**>(names),
                                   &number, &method, &PyTuple_Type, &positional, &PyDict_Type,
                                   &keyword_only)) {
    return nullptr;
  }
  const Py_ssize_t positional_count = PyTuple_GET_SIZE(positional);
  const Py_ssize_t count = positional_count + PyDict_GET_SIZE(keyword_only);
  if (count > kMaxNames) {
    PyErr_SetString(PyExc_ValueError, "Function: too many arguments");
    return nullptr;
  }
  const Loss* loss = loss_with_method(number, method, count);
  if (loss == nullptr) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  Function& f = *as_function(self);
  f.vectorcall = &call;
  f.loss = loss;
  f.method = method;
  f.names = PyTuple_New(count);
  f.defaults = PyTuple_New(count - positional_count);
  if (f.names == nullptr || f.defaults == nullptr) {
    Py_DECREF(self);
    return nullptr;
  }
  const auto add_name = [&](Py_ssize_t i, PyObject* name) {
    Py_INCREF(name);
    PyUnicode_InternInPlace(&name);
    PyTuple_SET_ITEM(f.names, i, name);
  };
  for (Py_ssize_t i = 0; i < positional_count; ++i) add_name(i, PyTuple_GET_ITEM(positional, i));
  PyObject *name, *value;
  Py_ssize_t at = 0;
  for (Py_ssize_t i = 0; PyDict_Next(keyword_only, &at, &name, &value); ++i) {
    add_name(positional_count + i, name);
    PyTuple_SET_ITEM(f.defaults, i, Py_NewRef(value));
  }
  return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  const Function& f = *as_function(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(f.attributes);
  Py_VISIT(f.names);
  Py_VISIT(f.defaults);
  return 0;
}

int clear(PyObject* self) {
  Function& f = *as_function(self);
  Py_CLEAR(f.attributes);
  Py_CLEAR(f.names);
  Py_CLEAR(f.defaults);
  return 0;
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (as_function(self)->weak_references != nullptr) PyObject_ClearWeakRefs(self);
  clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* represent(PyObject* self) {
  PyObject* name = PyObject_GetAttrString(self, "__qualname__");
  if (name == nullptr) return nullptr;
  PyObject* text = PyUnicode_FromFormat("<fastloss function %U>", name);
  Py_DECREF(name);
  return text;
}

/// Pickled by name.
PyObject* reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

/// Not bound to instances; having it, help() and doctest take the object for a routine.
PyObject* get(PyObject* self, PyObject*, PyObject*) { return Py_NewRef(self); }

PyMethodDef methods[] = {{"__reduce__", &reduce, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Function, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(Function, attributes), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Function, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyGetSetDef properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

template <class F>
void* slot(F* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

bool add_function_type(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_new, slot(&make)},
                         {Py_tp_call, slot(&PyVectorcall_Call)},
                         {Py_tp_dealloc, slot(&deallocate)},
                         {Py_tp_traverse, slot(&traverse)},
                         {Py_tp_clear, slot(&clear)},
                         {Py_tp_repr, slot(&represent)},
                         {Py_tp_descr_get, slot(&get)},
                         {Py_tp_methods, methods},
                         {Py_tp_members, members},
                         {Py_tp_getset, properties},
                         {0, nullptr}};
  PyType_Spec spec = {"fastloss._core.Function", sizeof(Function), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr) return false;
  const int failed = PyModule_AddObjectRef(module, "Function", type);
  Py_DECREF(type);
  return failed == 0;
}

}  // namespace fastloss
