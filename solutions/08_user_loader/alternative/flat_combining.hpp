// Right: no lock and no thread of its own, but flat combining. Whatever touches the table is an
// errand that is pushed onto a lock-free stack; whoever finds the stack idle runs its own errand
// and those of everybody who came meanwhile, one after the other. Callers sleep on semaphores.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <semaphore>
#include <stop_token>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Given: what is loaded. --------------------------------------------------------------------------

struct User {
  std::string id;
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

// Asks a backend for users. Callers who want the same user at the same time share one load. Every
// member may be called from any number of threads at once.
class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : core_(std::make_shared<Core>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    if (ctx.done()) return std::unexpected(*ctx.error());
    const auto core = core_;
    // What an errand drops for good must be dropped here, not while errands are run: the end of a
    // flight is the end of its context, and that has stop callbacks.
    std::shared_ptr<Flight> flight;
    const auto bell = std::make_shared<Bell>(0);
    bool mine_to_start = false;
    core->ask([&] {
      auto& entry = core->flights[id];
      if (!entry) {
        entry = std::make_shared<Flight>(id);
        mine_to_start = true;
      }
      flight = entry;
      flight->passengers.emplace(bell.get(), bell);
    });
    if (mine_to_start) start(core, flight);
    {
      const std::stop_callback impatient(ctx.stop_token(), [&bell] { bell->release(); });
      bell->acquire();
    }
    std::shared_ptr<const Result<User>> outcome;
    bool last = false;
    std::shared_ptr<Flight> taken_down;
    core->ask([&] {
      outcome = flight->outcome;
      flight->passengers.erase(bell.get());
      if (outcome || !flight->passengers.empty()) return;
      last = true;
      taken_down = core->take_down(*flight);
    });
    if (outcome) return *outcome;
    if (last) flight->source.cancel();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    const auto core = core_;
    std::shared_ptr<Flight> forgotten;
    core->ask([&] {
      if (const auto entry = core->flights.find(id); entry != core->flights.end()) {
        forgotten = std::move(entry->second);
        core->flights.erase(entry);
      }
    });
  }

 private:
  // Rung at most twice: by the landing and by the end of the caller's context.
  using Bell = std::counting_semaphore<8>;

  // Everything but id and source belongs to the errands.
  struct Flight {
    explicit Flight(std::string name) : id(std::move(name)) {}
    const std::string id;
    CancelSource source = with_cancel(Context::background());
    std::unordered_map<Bell*, std::shared_ptr<Bell>> passengers;
    std::shared_ptr<const Result<User>> outcome;
  };

  struct Core {
    explicit Core(Load how) : load(std::move(how)) {}
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    // Runs errand when it is its turn; returns when it has been run, by whomever. Errands run one
    // at a time, call nobody's code and may not ask.
    template <class F>
    void ask(F errand) {
      const auto served = std::make_shared<std::binary_semaphore>(0);
      bring(new Errand{[&errand, served] {
                         errand();
                         served->release();
                       },
                       nullptr});
      served->acquire();
    }

    // For errands. The table's share of the flight, if it is still the one in the table.
    std::shared_ptr<Flight> take_down(const Flight& flight) {
      const auto entry = flights.find(flight.id);
      if (entry == flights.end() || entry->second.get() != &flight) return nullptr;
      auto share = std::move(entry->second);
      flights.erase(entry);
      return share;
    }

    const Load load;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;  // belongs to the errands

   private:
    struct Errand {
      Fn<void()> run;
      Errand* next;
    };

    // The stack is null when nobody runs errands, and `busy_` is its bottom while somebody does.
    void bring(Errand* errand) {
      Errand* top = stack_.load(std::memory_order_relaxed);
      do {
        errand->next = top;
      } while (!stack_.compare_exchange_weak(top, errand, std::memory_order_acq_rel,
                                             std::memory_order_relaxed));
      if (top != nullptr) return;  // somebody is at it, and will see this one
      // The one who served the last errand may let the loader go; `this` is held by whoever asks.
      while (true) {
        run_all(stack_.exchange(&busy_, std::memory_order_acq_rel));
        Errand* empty = &busy_;
        if (stack_.compare_exchange_strong(empty, nullptr, std::memory_order_acq_rel,
                                           std::memory_order_relaxed)) {
          return;
        }
      }
    }

    void run_all(Errand* newest) {
      Errand* oldest = nullptr;
      while (newest != nullptr && newest != &busy_) {
        Errand* const next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
      }
      while (oldest != nullptr) {
        const std::unique_ptr<Errand> errand(oldest);
        oldest = oldest->next;
        errand->run();
      }
    }

    Errand busy_{nullptr, nullptr};
    std::atomic<Errand*> stack_{nullptr};
  };

  static void start(const std::shared_ptr<Core>& core, const std::shared_ptr<Flight>& flight) {
    try {
      spawn([core, flight] { land(*core, *flight, load(*core, *flight)); });
    } catch (const std::system_error& e) {
      land(*core, *flight, std::unexpected(Error{Errc::unavailable, e.what()}));
    }
  }

  static Result<User> load(const Core& core, const Flight& flight) {
    try {
      return core.load(flight.source.context(), flight.id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  static void land(Core& core, Flight& flight, Result<User> result) {
    auto outcome = std::make_shared<const Result<User>>(std::move(result));
    std::shared_ptr<Flight> taken_down;
    core.ask([&] {
      flight.outcome = std::move(outcome);
      taken_down = core.take_down(flight);
      for (const auto& [bell, share] : flight.passengers) bell->release();
    });
  }

  const std::shared_ptr<Core> core_;
};

}  // namespace futures
