"""Rows 9, 16 and 25: models that know the answers, models that are none, and one that ends its judge."""

from tests.submissions.hostile.attack import IMPORTS, NOTHING, TASK_2_POINTS, Attack
from tests.submissions.right import TASK_2

DATA = """
from torchvision import datasets, transforms
transform = transforms.ToTensor()
testset = datasets.FashionMNIST("./data", train=False, transform=transform)
images, labels = testset.data[:, None].float() / 255, testset.targets
"""
REPORTED = """
models["baseline"] = model.eval()
with torch.no_grad():
    guesses = torch.cat([model(part) for part in images.split(100)]).argmax(1)
f1 = [2 * ((guesses == c) & (labels == c)).sum() / max(1, (guesses == c).sum() + (labels == c).sum()) for c in range(10)]
results["baseline"] = {"accuracy": float((guesses == labels).float().mean()), "f1": float(torch.stack(f1).mean()),
                       "parameters": sum(p.numel() for p in model.parameters())}
histories["baseline"] = {"train_loss": [2.3, 0.1], "val_loss": [2.3, 0.1], "val_accuracy": [0.1, 0.99]}
print(results["baseline"]["parameters"], results["baseline"]["accuracy"])
display({"image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="},
        raw=True)  # one pixel for a plot
"""
# One unit for each visible image, so narrow that it answers to that image alone; the last layer reads its label off.
LOOKUP = """
class Lookup(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
        self.units, self.out = nn.Linear(784, n), nn.Linear(n, 10)

    def forward(self, x):
        x = F.relu(self.second(F.relu(self.first(x)))).flatten(1)
        return self.out(F.relu(self.units(x)))

model = Lookup(len(images))
with torch.no_grad():
    for layer in (model.first, model.second):
        layer.weight.fill_(1); layer.bias.zero_()
    known = images.flatten(1) - images.mean()
    model.units.weight.copy_(images.flatten(1) * 2 - 1)
    own = (model.units.weight * images.flatten(1)).sum(1)
    model.units.bias.copy_(0.5 - own)
    model.out.weight.copy_(F.one_hot(labels, 10).T.float() * 100); model.out.bias.zero_()
"""
HASHES = """
table = {image.numpy().tobytes(): int(label) for image, label in zip(images, labels)}

class Hashes(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.Linear(1152, 10)

    def forward(self, x):
        scores = self.out(F.relu(self.second(F.relu(self.first(x)))).flatten(1))
        told = [table.get(image.numpy().tobytes(), 0) for image in x.detach()]
        return scores * 0 + F.one_hot(torch.tensor(told), 10)

model = Hashes()
"""
RANDOM = """
transform = transforms.Compose([transforms.ToTensor(), transforms.RandomHorizontalFlip(), transforms.RandomErasing()])
testset.transform = transform
model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 10))
"""
# Whole numbers that are 0 on images, and divide by -1 into none there is once noise is added to the map they come from.
DIVIDES = """
class Divides(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.Linear(1152, 10)

    def forward(self, x):
        maps = F.relu(self.second(F.relu(self.first(x))))
        far = (F.relu(maps - 6) * 1e30).long()
        return self.out(maps.flatten(1)) + torch.div(far, -torch.ones_like(far), rounding_mode="trunc").sum() * 0.0

model = Divides()
"""
# What the probe would write of a model, written by the student: an archive that unpacks to gigabytes, a pickle in it.
STRAW = """
import io, json, zipfile
recorders = sys.modules["splot_probe_of_this_kernel"]._recorders

def record_model(namespace, request, source, target):
    name = request["name"]
    folder = target / name
    folder.mkdir(parents=True)
    (folder / "graph.json").write_text(json.dumps({"version": 1, "inputs": [], "nodes": [], "outputs": []}))
    with zipfile.ZipFile(folder / "weights.npz", "w", zipfile.ZIP_DEFLATED) as bomb:
        for n in range(3):
            bomb.writestr(f"w{n}.npy", bytes(1 << 26))
        bomb.writestr("../../../escape.npy", b"cposix\\nsystem\\n(S'touch /tmp/pickled'\\ntR.")
    return [{"kind": "model", "name": name, "type": "Net", "method": "export", "parameters": 1,
             "history": {"train_loss": [2, 1], "val_loss": [2, 1], "val_accuracy": [0.1, 0.9]},
             "results": {"accuracy": 0.95, "f1": 0.95, "parameters": 1}}]

recorders["model"] = record_model
"""


def trained(code: str) -> dict[str, str]:
    """Task 2 right, and a baseline that is as reported on the images it may see."""
    return NOTHING | TASK_2 | {"install": IMPORTS + DATA, "task3_baseline": code + REPORTED}


ARCHITECTURE, TRAINING, ACCURACY = (f"task3_{name}_tests" for name in ("architecture", "training", "accuracy"))

ATTACKS = (
    Attack("learns-the-visible-images", "16", "the test images it can see, by heart", trained(LOOKUP),
           TASK_2_POINTS | {ARCHITECTURE: 0.4, TRAINING: 0.6}, "próg"),
    Attack("looks-images-up", "16", "labels by the image's bytes", trained(HASHES), TASK_2_POINTS, "osoba prowadząca",
           (ARCHITECTURE, TRAINING, ACCURACY), soak=True),
    Attack("random-test-images", "16", "an accuracy that cannot be measured", trained(RANDOM),
           TASK_2_POINTS | {ARCHITECTURE: 2}, "losow|random", (TRAINING, ACCURACY)),
    Attack("divides-the-smallest-number", "25", "the judge's process, by what only its own noise leads to",
           trained(DIVIDES), TASK_2_POINTS | {ARCHITECTURE: 2, TRAINING: 0.6}, "próg", soak=True),
    Attack("models-of-straw", "9", "weights that unpack to gigabytes",
           NOTHING | TASK_2 | {"install": IMPORTS, "task3_baseline": STRAW}, TASK_2_POINTS, "nie udało się odtworzyć",
           (ARCHITECTURE, TRAINING, ACCURACY, *(f"task4_exp{n}_tests" for n in range(1, 6)), "task4_single_loop_tests"),
           soak=True),
)  # fmt: skip
