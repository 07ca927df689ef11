"""Five training loops in the manner of well-known tutorials, in our own words; `benchmarks.loops` runs them in the sandbox.

They are here for what they do to a machine, not as examples: batches of 4 to 256, made one by one, by workers or by hand, with
losses fetched at each step, now and then or once an epoch. Each returns its network; the same seed and number of threads give
the same weights. Fashion-MNIST lies in `./data`. Nothing here is imported from the project, as it is not there in the sandbox.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

BAR = 30


def fashion(*, train: bool, transform: Any) -> Any:
    """Open the data set as every tutorial does."""
    return datasets.FashionMNIST("./data", train=train, download=True, transform=transform)


def quickstart() -> nn.Module:
    """Train a perceptron as PyTorch's Quickstart does: a function for an epoch, one for the test, a line every 100 batches."""
    training = DataLoader(fashion(train=True, transform=transforms.ToTensor()), batch_size=64)
    testing = DataLoader(fashion(train=False, transform=transforms.ToTensor()), batch_size=64)
    layers = (nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    model, criterion = nn.Sequential(*layers), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for epoch in range(3):
        print(f"Epoch {epoch + 1}")
        model.train()
        for batch, (images, labels) in enumerate(training):
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if batch % 100 == 0:
                print(f"loss {loss.item():.4f} after {batch * len(images)} images")
        model.eval()
        hits = 0.0
        with torch.no_grad():
            for images, labels in testing:
                hits += (model(images).argmax(1) == labels).float().sum().item()
        print(f"accuracy {hits / len(testing.dataset):.3f}")  # type: ignore[arg-type]  # torch's own data sets have a length
    return model


class _TwoConvolutions(nn.Module):
    """Two convolutions with pooling, three linear layers, and a `forward` of functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1, self.fc2, self.fc3 = nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (B, 10)."""
        x = self.pool(F.relu(self.conv2(self.pool(F.relu(self.conv1(x))))))
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))))  # type: ignore[no-any-return]


def running_loss() -> nn.Module:
    """Train as PyTorch's CIFAR-10 tutorial does: batches of four from two workers, SGD with momentum, a running loss."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    loader = DataLoader(fashion(train=True, transform=transform), batch_size=4, shuffle=True, num_workers=2)
    model, criterion = _TwoConvolutions(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    running = 0.0
    for batch, (inputs, labels) in enumerate(loader):
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
        if batch % 500 == 499:
            print(f"[1, {batch + 1:5d}] loss: {running / 500:.3f}")
            running = 0.0
    return model


class _Sums:
    """Sums of several quantities over the batches of an epoch."""

    def __init__(self, n: int) -> None:
        self.values = [0.0] * n

    def add(self, *values: float) -> None:
        """Add one batch's."""
        self.values = [a + float(b) for a, b in zip(self.values, values, strict=True)]


def _hits(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(dim=1).type(labels.dtype) == labels).type(labels.dtype).sum())


def accumulators() -> nn.Module:
    """Train LeNet as Dive into Deep Learning does: large batches, sums of loss and accuracy, the test images each epoch."""
    training = DataLoader(fashion(train=True, transform=transforms.ToTensor()), batch_size=256, shuffle=True)
    testing = DataLoader(fashion(train=False, transform=transforms.ToTensor()), batch_size=256)
    first = (nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2, 2))
    second = (nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2, 2), nn.Flatten())
    linear = (nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10))
    model, criterion = nn.Sequential(*first, *second, *linear), nn.CrossEntropyLoss()
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.9)
    for epoch in range(3):
        model.train()
        sums = _Sums(3)
        for X, y in training:
            optimizer.zero_grad()
            scores = model(X)
            loss = criterion(scores, y)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                sums.add(loss * len(X), _hits(scores, y), len(X))
        model.eval()
        tested = _Sums(2)
        with torch.no_grad():
            for X, y in testing:
                tested.add(_hits(model(X), y), len(y))
        loss_sum, hits, n = sums.values
        print(f"{epoch}: loss {loss_sum / n:.3f}, train {hits / n:.3f}, test {tested.values[0] / tested.values[1]:.3f}")
    return model


class _Trainer:
    """A `fit` with a progress bar drawn anew at each batch, a history and a learning rate that falls."""

    def __init__(self, model: nn.Module, rate: float) -> None:
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=1, gamma=0.5)
        self.history: dict[str, list[float]] = {"loss": [], "val_loss": []}

    def fit(self, training: Any, validation: Any, epochs: int) -> None:
        """Train for some epochs."""
        for epoch in range(epochs):
            self.model.train()
            losses: list[float] = []
            for batch, (images, labels) in enumerate(training, start=1):
                losses.append(self._train_on(images, labels))
                bar = "=" * (BAR * batch // len(training))
                print(f"\r{epoch + 1}/{epochs} [{bar:<{BAR}}] loss: {sum(losses) / batch:.4f}", end="", flush=True)
            self.scheduler.step()
            self.history["loss"].append(sum(losses) / len(losses))
            self.history["val_loss"].append(self._evaluate(validation))
            print(f" val_loss: {self.history['val_loss'][-1]:.4f}")

    def _train_on(self, images: Tensor, labels: Tensor) -> float:
        loss = F.cross_entropy(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def _evaluate(self, validation: Any) -> float:
        self.model.eval()
        with torch.no_grad():
            losses = [F.cross_entropy(self.model(images), labels).item() for images, labels in validation]
        return sum(losses) / len(losses)


def trainer() -> nn.Module:
    """Train a network with batch normalisation and dropout by a class with `fit`, as Keras has it."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.2860,), (0.3530,))])
    images = fashion(train=True, transform=transform)
    training, validation = torch.utils.data.random_split(images, [5_400, 600])
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32)):
        block = (nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))
        layers += [*block, nn.Dropout2d(0.1)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))
    batches = DataLoader(training, batch_size=32, shuffle=True)
    _Trainer(model, 1e-3).fit(batches, DataLoader(validation, batch_size=128), epochs=2)
    return model


def _batches(images: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for chosen in torch.randperm(len(images)).split(size):
        yield images[chosen], labels[chosen]


def whole_tensor() -> nn.Module:
    """Train a wider network on one tensor of all images, batches cut from a permutation."""
    data = fashion(train=True, transform=None)
    images = data.data.unsqueeze(1).float() / 255
    images = (images - images.mean()) / images.std()
    first = (nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    second = (nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    model = nn.Sequential(*first, *second)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(1):
        losses = []
        for inputs, labels in _batches(images, data.targets, 128):
            loss = F.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}")
    return model


LOOPS: dict[str, Callable[[], nn.Module]] = {
    loop.__name__: loop for loop in (quickstart, running_loss, accumulators, trainer, whole_tensor)
}
