"""Class activation maps as students compute them, and the mistakes they make; on one small network, and on others."""

NETWORKS = """
from PIL import Image
from scipy import ndimage
from torchvision.transforms import functional as TF

torch.manual_seed(2)

class Residual(nn.Module):
    def forward(self, x):
        return x - F.avg_pool2d(x, 3, 1, 1) / 2

class Net(nn.Module):
    def __init__(self, head="mean", hidden=0):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3), nn.ReLU())
        if head == "residual":
            self.features.append(Residual())
        self.pool, self.kind = nn.AdaptiveAvgPool2d(1), head
        self.fc = nn.Sequential(nn.Linear(6, hidden), nn.ReLU(), nn.Linear(hidden, 10)) if hidden else nn.LazyLinear(10)
        self(torch.zeros(2, 1, 28, 28))
    def forward(self, x):
        x = self.features(x)
        if self.kind == "mean":
            x = self.pool(x).flatten(1)
        elif self.kind in ("short", "residual"):
            x = x.mean((2, 3))
        elif self.kind == "sum":
            x = x.sum(dim=(-1, -2)) / 100
        elif self.kind == "permute":
            x = x.permute(0, 2, 3, 1).mean((1, 2))
        elif self.kind == "again":
            x = self.pool(self.pool(x)).flatten(1)
        elif self.kind == "pixel":
            x = self.pool(self.pool(x) + 0.0 * self.pool(x)).flatten(1)
        elif self.kind == "even":
            x = self.pool(self.pool(x).expand(-1, -1, 4, 4)).flatten(1)
        elif self.kind == "one":
            x = self.pool(x.sum(1, keepdim=True).expand(-1, 6, -1, -1)).flatten(1)
        elif self.kind == "both":
            x = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        else:
            x = x.amax((2, 3))
        return self.fc(x)

images = torch.stack([testset[i][0] for i in range(600)])
labels = testset.targets[:600].long()

def trained(net, steps=80):
    # Enough to do clearly better than chance, in a second or two.
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    net.train()
    for step in range(steps):
        part = torch.arange(step * 100, step * 100 + 100) % 600
        optimizer.zero_grad()
        F.cross_entropy(net(images[part]), labels[part]).backward()
        optimizer.step()
    return net.eval()

models = {"gap": trained(Net())}

def weighted(model, image, class_index):
    with torch.no_grad():
        maps = model.features(image[None])[0]
        return torch.einsum("k,khw->hw", model.fc.weight[class_index], maps)
"""

HOOKS = """
def cam(model, image, class_index):
    kept = {}
    hook = model.features.register_forward_hook(lambda m, i, o: kept.update(maps=o))
    model(image.unsqueeze(0))
    hook.remove()
    return sum(w * f for w, f in zip(model.fc.weight[class_index], kept["maps"][0]))
"""
CUT = """
def cam(model, image, class_index):
    cut = nn.Sequential(*list(model.children())[:-2])
    with torch.no_grad():
        maps = cut(image[None])[0].numpy()
    heat = (model.fc.weight[class_index].detach().numpy()[:, None, None] * maps).sum(axis=0)
    return np.maximum(heat, 0) / (np.maximum(heat, 0).max() + 1e-8)
"""
GRADIENTS = """
def cam(model, image, class_index):
    maps = model.features(image[None])
    maps.retain_grad()
    model.fc(maps.mean((2, 3)))[0, class_index].backward()
    return (maps.grad.mean((2, 3), keepdim=True) * maps).sum(1)[0]
"""


def returning(expression: str) -> str:
    """Return the code of a `cam` that makes something of the right map `m` (h, w)."""
    return f"""
def cam(model, image, class_index):
    m = weighted(model, image, class_index)
    return {expression}
"""


def resized(options: str) -> str:
    """Return the code of a `cam` that enlarges the map to the image."""
    return returning(f"F.interpolate(m[None, None], (28, 28), {options})[0, 0]")


RIGHT_WAYS = {
    "hooks, a sum of products": HOOKS,
    "the model cut, ReLU, NumPy": CUT,
    "gradients, which global averaging makes the weights": GRADIENTS,
    "min-max": returning("(m - m.min()) / (m.max() - m.min())"),
    "bytes": returning("(255 * m.relu() / m.max()).byte()"),
    "double": returning("1000 * m.double() - 7"),
    "bfloat16": returning("m.bfloat16()"),
    "nearest": resized("mode='nearest'"),
    "bilinear": resized("mode='bilinear'"),
    "bilinear, corners aligned": resized("mode='bilinear', align_corners=True"),
    "bicubic": resized("mode='bicubic'"),
    "ReLU, then bilinear": resized("mode='bilinear'").replace("m[None", "m.relu()[None"),
    "bilinear, then ReLU": resized("mode='bilinear'").replace("[0, 0]", "[0, 0].relu()"),
    "torchvision": returning("TF.resize(m[None], [28, 28], antialias=True)[0]"),
    "Pillow": returning("np.array(Image.fromarray(m.numpy()).resize((28, 28), Image.BICUBIC))"),
    "repeated pixels": returning("np.kron(m.numpy(), np.ones((3, 3)))"),
    "SciPy, linear": returning("ndimage.zoom(m.numpy(), 28 / 10, order=1)"),
    "SciPy, cubic": returning("ndimage.zoom(m.numpy(), 28 / 10)"),
    "smaller": returning("F.interpolate(m[None, None], (5, 5), mode='bilinear')[0, 0]"),
}

WRONG_WAYS = {
    "another class": (returning("weighted(model, image, (class_index + 1) % 10)"), "It is the map of class"),
    "no weights": (returning("model.features(image[None])[0].mean(0)"), "mean of the maps"),
    "sign reversed": (returning("-m"), "sign is reversed"),
    "transposed": (returning("m.T"), "axes are swapped"),
    "a batch axis": (returning("m[None]"), "torch.Tensor torch.float32 (1, 10, 10)"),
    "constant": (returning("torch.zeros_like(image[0])"), "values are equal"),
    "almost constant": (returning("torch.full((28, 28), 0.1) + 1e-9 * torch.rand(28, 28)"), "values are equal"),
    "the image": (returning("image[0]"), "is not the sum"),
    "noise": (returning("np.random.rand(10, 10)"), "is not the sum"),
    "maps before the last ReLU": (
        returning("(model.fc.weight[class_index][:, None, None] * model.features[:-1](image[None])[0]).sum(0)"),
        "just before averaging",
    ),
    "NaN": (returning("m / 0 * 0"), "NaN or infinity"),
    "infinity": (returning("m / 0"), "NaN or infinity"),
    "one pixel": (returning("m.mean()[None, None]"), "only 1×1 pixels"),
    "a number": (returning("m.sum()"), "torch.float32 ()"),
    "a list": (returning("m.tolist()"), "cam returns builtins.list"),
    "nothing": (returning("None"), "NoneType"),
    "complex": (returning("m + 1j * m"), "torch.complex64; it should return a two-dimensional map"),
    "an exception": (returning("m[class_index + 100]"), "IndexError"),
    "not there": ("", "cam(model, image, class_index) was not found"),
    "not a function": ("cam = weighted(models['gap'], testset[0][0], 0)", "Tensor"),
}

MODELS = {
    "mean over both axes": "models = {'gap': trained(Net('short'))}",
    "sum over pixels, divided": "models = {'gap': trained(Net('sum'))}",
    "mean over permuted axes": "models = {'gap': trained(Net('permute'))}",
    "a model of its own": "models = {'gap': Net(hidden=4).eval(), 'cam': trained(Net())}",
    "averaged again": "models = {'gap': trained(Net('again'))}",
    "a residual sum, averaged": "models = {'gap': trained(Net('residual'))}",
    "an untrained one before it": "models = {'gap': Net().eval(), 'deep': models['gap']}",
    "a map of 1×1 before it": "models = {'gap': trained(Net('pixel')), 'deep': models['gap']}",
    "the first that has a single linear layer": """
models = {'baseline': Net('max').eval(), 'gap': Net(hidden=4).eval(), 'deep': trained(Net())}
""",
}
UNFIT_MODELS = {
    "untrained": ("models = {'gap': Net().eval()}", "Only a trained network has a CAM"),
    "its own is untrained": (
        "models = {'gap': models['gap'], 'cam': Net().eval()}",
        "Only a trained network has a CAM",
    ),
    "the same everywhere": ("models = {'gap': trained(Net('even'))}", "the same everywhere"),
    "copies of one map": ("models = {'cam': Net('one').eval()}", "only one map before averaging"),
    "no averaging": ("models = {'gap': Net('max').eval()}", "No network has a CAM"),
    "averaging and maximum": ("models = {'gap': Net('both').eval()}", "No network has a CAM"),
    "two linear layers": ("models = {'gap': trained(Net(hidden=16))}", "No network has a CAM"),
    "its own is unfit": (
        "models = {'gap': models['gap'], 'cam': trained(Net(hidden=16))}",
        'models["cam"] does not end',
    ),
    "its own raises": ("models = {'gap': models['gap'], 'cam': nn.Linear(3, 10)}", "RuntimeError"),
    "none": ("models = {}", "No network has a CAM"),
}
