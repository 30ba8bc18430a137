// SPDX-License-Identifier: BSD-3-Clause
// The elementary functions over arrays, at one CPU level. No loss is made of these kernels: what
// the comments in math.hpp promise is measured on them, in the library as it is shipped.
#include "error_function.hpp"
#include "gamma.hpp"
#include "kernels.hpp"
#include "math.hpp"

namespace fastloss::FASTLOSS_LEVEL {
namespace {

template <class Function>
constexpr bool is_unary = requires(Function f, Vec<float> x) { f(x); };

template <class T, class Function>
void apply(const T* x, const T* y, T* result, ptrdiff_t count) {
  constexpr int lanes = Vec<T>::lanes;
  for (ptrdiff_t i = 0; i < count; i += lanes) {
    const bool is_whole = count - i >= lanes;
    const int left = is_whole ? lanes : static_cast<int>(count - i);
    const auto load = [&](const T* p) {
      return is_whole ? Vec<T>::load(p + i) : load_first(p + i, left, Vec<T>(1));
    };
    Vec<T> v;
    if constexpr (is_unary<Function>) {
      v = Function()(load(x));
    } else {
      v = Function()(load(x), load(y));
    }
    is_whole ? v.store(result + i) : store_first(result + i, left, v);
  }
}

template <class Function>
constexpr ElementaryFunction entry(const char* name, Function) {
  return {name, is_unary<Function> ? 1 : 2, &apply<float, Function>, &apply<double, Function>};
}

constexpr ElementaryFunction functions[] = {
    entry("atan_ratio", [](auto x) { return atan_ratio(x); }),
    entry("digamma", [](auto x) { return digamma(x); }),
    entry("erf", [](auto x) { return erf(x); }),
    entry("erfc", [](auto x) { return erfc(x); }),
    entry("exp", [](auto x) { return exp(x); }),
    entry("expm1", [](auto x) { return expm1(x); }),
    entry("lgamma", [](auto x) { return lgamma(x); }),
    entry("lgamma1p", [](auto x) { return lgamma1p(x); }),
    entry("log", [](auto x) { return log(x); }),
    entry("log1p", [](auto x) { return log1p(x); }),
    entry("log1pmx", [](auto x) { return log1pmx(x); }),
    entry("log1p_unit", [](auto x) { return log1p_unit(x); }),
    entry("pow", [](auto x, auto y) { return pow(x, y); }),
    entry("sigmoid", [](auto x) { return sigmoid(x); }),
    entry("softplus", [](auto x) { return softplus(x); }),
    entry("tanh", [](auto x) { return tanh(x); }),
};

}  // namespace

constinit const ElementaryTable elementary_table = {functions,
                                                    sizeof functions / sizeof functions[0]};

}  // namespace fastloss::FASTLOSS_LEVEL
