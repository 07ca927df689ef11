"""Task 3's baseline written in many ways, untrained: what is tested is how its architecture is read."""

HEAD = """
def keep(name, model):
    with torch.no_grad():
        model.train()(torch.rand(8, 1, 28, 28))  # moves the statistics of batch norms, as training does
    models[name] = model.eval()
"""

RIGHT_WAYS = {
    "Sequential": """
keep("baseline", nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3456, 10)))
""",
    "ModuleList and functional calls": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(1, 4, 3, padding="same"), nn.Conv2d(4, 4, 3, padding="same")])
        self.hidden, self.out = nn.Linear(4 * 784, 8), nn.Linear(8, 10)
    def forward(self, x):
        for conv in self.convs:
            x = F.gelu(conv(x))
        return self.out(F.relu(self.hidden(x.view(x.size(0), -1))))
keep("baseline", Net())
""",
    "residual, double, branching on training, ending in log-softmax": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.out = nn.Linear(4 * 784, 10)
        self.drop = nn.Dropout(0.2)
    def forward(self, x):
        x = torch.relu(self.one(x.double()))
        x = torch.relu(x + self.two(x))
        if self.training:
            x = self.drop(x)
        return F.log_softmax(self.out(torch.flatten(x, 1)), dim=1)
keep("baseline", Net().double())
""",
    "lazy, compiled, a hook left on, branching on batch size": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.LazyConv2d(4, 5, stride=2), nn.LeakyReLU(), nn.LazyConv2d(8, 3), nn.Tanh())
        self.out = nn.LazyLinear(10)
    def forward(self, x):
        x = self.body(x).reshape(len(x), -1)
        return self.out(x) if len(x) > 1 else self.out(x) * 1
net = Net()
keep("baseline", net)
net.body[0].register_forward_hook(lambda m, i, o: o)
models["baseline"] = torch.compile(net)
""",
    "clamp as an activation, softmax at the end": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.out = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(2304, 10)
    def forward(self, x):
        x = self.two(self.one(x).clamp(min=0)).clamp(min=0)
        return torch.softmax(self.out(x.flatten(start_dim=1)), -1)
keep("baseline", Net())
""",
}

WRONG_WAYS = {
    "blocks: one convolution": """
keep("baseline", nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 676, 10)))
""",
    "blocks: no activation": """
keep("baseline", nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(3456, 10)))
""",
    "blocks: declared, not used": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU())
        self.conv, self.out = nn.Conv2d(1, 4, 3), nn.Linear(4 * 676, 10)
    def forward(self, x):
        self.convs(x)
        return self.out(F.relu(self.conv(x)).flatten(1))
keep("baseline", Net())
""",
    "blocks: multiplied by zero": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.out = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(2704, 10)
    def forward(self, x):
        maps = F.relu(self.one(x))
        return self.out((maps + 0 * F.relu(self.two(maps))).flatten(1))
keep("baseline", Net())
""",
    "blocks: almost multiplied by zero": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.out = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(2304, 10)
        self.short = nn.Linear(784, 10)
    def forward(self, x):
        deep = self.out(F.relu(self.two(F.relu(self.one(x)))).flatten(1))
        return deep * 0.02 + 20 * self.short(x.flatten(1))
keep("baseline", Net())
""",
    "flatten: averaged": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.out = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 10)
    def forward(self, x):
        return self.out(F.relu(self.two(F.relu(self.one(x)))).mean((2, 3)))
keep("baseline", Net())
""",
    "flatten: no linear layer": """
keep("baseline", nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 10, 26), nn.ReLU(), nn.Flatten()))
""",
    "ten: five outputs": """
keep("baseline", nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3456, 5)))
""",
}
