// SPDX-License-Identifier: BSD-3-Clause
// The extension module fastloss._core.
#define FASTLOSS_IMPORTS_NUMPY
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arguments.hpp"
#include "dispatch.hpp"
#include "elementary.hpp"
#include "function.hpp"
#include "registry.hpp"
#include "roofline.hpp"
#include "threads.hpp"

namespace fastloss {
namespace {

Family family_of(const std::string& name) {
  if (name == "pointwise") return Family::pointwise;
  if (name == "rowwise") return Family::rowwise;
  if (name == "overlap") return Family::overlap;
  if (name == "ordered") return Family::ordered;
  if (name == "groupwise") return Family::groupwise;
  if (name == "row function") return Family::row_function;
  if (name == "penalty") return Family::penalty;
  if (name == "proximal step") return Family::proximal_step;
  throw py::value_error("no family is called '" + name + "'");
}

TargetKind target_kind_of(const std::string& name) {
  if (name == "whole") return TargetKind::whole;
  if (name == "key") return TargetKind::key;
  if (name == "number") return TargetKind::number;
  if (name == "labels") return TargetKind::labels;
  if (name == "labels or whole") return TargetKind::labels_or_whole;
  throw py::value_error("no kind of target is called '" + name + "'");
}

const char* compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#else
  return "GCC " __VERSION__;
#endif
}

}  // namespace
}  // namespace fastloss

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  using namespace fastloss;
  m.doc() = "Kernels, drivers and argument checks of fastloss.";
  if (_import_array() < 0) throw py::error_already_set();
  watch_forks();

  m.attr("version") = FASTLOSS_VERSION;
  m.attr("compiler") = compiler();

  if (!add_function_type(m.ptr())) throw py::error_already_set();

  using ParameterTuple = std::tuple<std::string, py::object, double, std::string, double, double,
                                    bool, bool, bool, double, std::vector<std::string>>;
  m.def(
      "register_loss",
      [](const std::string& family, std::string name, std::vector<std::string> arguments,
         const std::vector<std::pair<std::string, std::string>>& targets,
         const std::vector<ParameterTuple>& parameters, int options) {
        std::vector<Target> kinds;
        for (const auto& [target, kind] : targets) kinds.push_back({target, target_kind_of(kind)});
        std::vector<Parameter> list;
        for (const auto& [parameter, standard, standard_number, description, low, high,
                          includes_low, includes_high, is_flag, when_none, words] : parameters) {
          list.push_back(
              {parameter,
               {description, low, high, includes_low, includes_high, is_flag, when_none, words},
               py::object(standard).release().ptr(),
               standard_number});
        }
        return register_loss(family_of(family), std::move(name), std::move(arguments), kinds,
                             std::move(list), options);
      },
      py::arg("family"), py::arg("name"), py::arg("arguments"), py::arg("targets"),
      py::arg("parameters"), py::arg("options"));
  m.def("row_length", [](int loss) { return row_length(registered_loss(loss)); }, py::arg("loss"));
  m.def(
      "kernel_signatures",
      [](const std::string& family) {
        std::vector<std::tuple<std::string, int, int, int>> all;
        for (const Signature& s : kernel_signatures(family_of(family))) {
          all.emplace_back(s.name, s.inputs, s.targets, s.parameters);
        }
        return all;
      },
      py::arg("family"));

  m.def("elementary_functions", [] {
    std::vector<std::pair<std::string, int>> all;
    for (const ElementaryFunction& f : elementary_functions()) {
      all.emplace_back(f.name, f.arguments);
    }
    return all;
  });
  m.def("elementary", &elementary, py::arg("name"), py::arg("out"));

  m.def("move_bytes", &move_bytes, py::arg("inputs"), py::arg("outputs"), py::kw_only(),
        py::arg("past_cache"));

  m.def("isa_levels", [] {
    std::vector<std::pair<std::string, bool>> all;
    for (const Level& level : levels()) all.emplace_back(level.name, level.runs_here());
    return all;
  });
  m.def("isa", [] { return std::string(active_level().name); });
  m.def("activate_isa", &activate_level, py::arg("name"));

  m.def("set_process_threads", &set_process_threads, py::arg("n"));
  m.def("set_local_threads", &set_local_threads, py::arg("n"));
  m.def("local_threads", &local_threads);
  m.def("available_threads", &available_threads);
  m.def("set_cpu_quota", &set_cpu_quota, py::arg("cpus"));
}
