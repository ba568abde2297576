// Wrong: each awaiter takes the result out of a channel, looks, and puts it back; bites when
// another one, whose context has ended, looks meanwhile: it finds nothing and gives up.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) {
    return settle(std::make_shared<const Result<T>>(std::in_place, std::move(value)));
  }
  bool reject(Error error) {
    return settle(std::make_shared<const Result<T>>(std::unexpect, std::move(error)));
  }

  Result<T> await(const Context& context) const {
    auto loan = box_->out.receive(context);
    if (!loan) return std::unexpected(std::move(loan.error()));
    const Ptr result = *std::move(loan);
    box_->filled = true;    // or settled() could still be waiting for whoever has settled it
    box_->in.send(result);  // the next one, please
    return *result;
  }

  bool settled() const { return box_->filled.load(); }

 private:
  using Ptr = std::shared_ptr<const Result<T>>;

  struct Box {
    explicit Box(std::pair<Sender<Ptr>, Receiver<Ptr>> ends)
        : in(std::move(ends.first)), out(std::move(ends.second)) {}

    const Sender<Ptr> in;
    const Receiver<Ptr> out;
    std::atomic<bool> taken{false};   // somebody is settling, or has
    std::atomic<bool> filled{false};  // the result is there
  };

  bool settle(Ptr result) {
    const auto box = box_;  // an awaiter may destroy the promise before we have returned
    if (box->taken.exchange(true)) {
      // "Settled before" means that it can be had: wait for the winner's last step.
      box->filled.wait(false);
      return false;
    }
    box->in.send(std::move(result));  // there is room: nobody else sends before we have
    box->filled.store(true);
    box->filled.notify_all();
    return true;
  }

  std::shared_ptr<Box> box_ = std::make_shared<Box>(make_channel<Ptr>(1));
};

}  // namespace futures
